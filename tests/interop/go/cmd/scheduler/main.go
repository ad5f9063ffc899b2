// Command scheduler asks two servers as the original's schedulers do: plain net/http, JSON from Go's own structs, and
// answers taken into Go's own structs. It makes one round in the words of each generation and prints what it understood,
// one line of JSON for each.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

const (
	headerSchedulerID = "x-scheduler-id"
	// contentBytes is how much a round publishes.
	contentBytes = 1024
	// roundTimeout is how long one round may take. The original has no limit.
	roundTimeout = 30 * time.Second
)

// A generation is what its schedulers send and what they read. Their structs have no tags: the names are the JSON's.
type generation struct {
	name string
	// provideRequest and retrieveRequest make the bodies.
	provideRequest  func(content []byte) any
	retrieveRequest func() any
	// reads makes room for an answer.
	reads func() any
}

// Schedulers of 2023 named the routing in both requests, and read one duration.
type (
	provideRequest2023 struct {
		Content []byte
		Routing string
	}
	retrieveRequest2023 struct {
		Routing string
	}
	response2023 struct {
		CID              string
		Duration         time.Duration
		Error            string
		RoutingTableSize int
	}
)

// Schedulers of 2026 read a list of measurements.
type (
	provideRequest2026  struct{ Content []byte }
	retrieveRequest2026 struct{}
	measurement         struct {
		Step     string
		Duration time.Duration
		Error    string
	}
	response2026 struct {
		CID              string
		Measurements     []*measurement
		RoutingTableSize int
	}
)

var generations = []generation{
	{
		name:            "2023",
		provideRequest:  func(content []byte) any { return &provideRequest2023{Content: content, Routing: "DHT"} },
		retrieveRequest: func() any { return &retrieveRequest2023{Routing: "DHT"} },
		reads:           func() any { return &response2023{} },
	},
	{
		name:            "2026",
		provideRequest:  func(content []byte) any { return &provideRequest2026{Content: content} },
		retrieveRequest: func() any { return &retrieveRequest2026{} },
		reads:           func() any { return &response2026{} },
	},
}

// round is a line of the output: what was published, and what the scheduler took the answers for.
type round struct {
	Generation string `json:"generation"`
	// CID is the scheduler's own idea of it.
	CID      string `json:"cid"`
	Provide  any    `json:"provide"`
	Retrieve any    `json:"retrieve"`
	// Missing is the answer to a search for what nobody published.
	Missing any `json:"missing"`
}

type client struct {
	address, schedulerID string
}

func main() {
	provider := flag.String("provider", "", "HOST:PORT of the server that publishes")
	retriever := flag.String("retriever", "", "HOST:PORT of the server that looks up")
	schedulerID := flag.String("scheduler-id", "default", "what the scheduler calls itself")
	flag.Parse()
	out := json.NewEncoder(os.Stdout)
	for _, words := range generations {
		ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
		made, err := words.round(ctx, client{*provider, *schedulerID}, client{*retriever, *schedulerID})
		cancel()
		if err != nil {
			fmt.Fprintf(os.Stderr, "scheduler of %s: %v\n", words.name, err)
			os.Exit(1)
		}
		if err := out.Encode(made); err != nil {
			os.Exit(1)
		}
	}
}

func (g generation) round(ctx context.Context, provider, retriever client) (*round, error) {
	for _, each := range []client{provider, retriever} {
		if err := each.readiness(); err != nil {
			return nil, err
		}
	}
	content := make([]byte, contentBytes)
	if _, err := rand.Read(content); err != nil {
		return nil, err
	}
	published, err := cidOf(content)
	if err != nil {
		return nil, err
	}
	missing, err := cidOf(append(content, 0))
	if err != nil {
		return nil, err
	}
	made := &round{Generation: g.name, CID: published.String(), Provide: g.reads(), Retrieve: g.reads(), Missing: g.reads()}
	if err := provider.post(ctx, "/provide", g.provideRequest(content), made.Provide); err != nil {
		return nil, err
	}
	if err := retriever.post(ctx, "/retrieve/"+published.String(), g.retrieveRequest(), made.Retrieve); err != nil {
		return nil, err
	}
	return made, retriever.post(ctx, "/retrieve/"+missing.String(), g.retrieveRequest(), made.Missing)
}

func cidOf(content []byte) (cid.Cid, error) {
	digest := sha256.Sum256(content)
	hash, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		return cid.Undef, err
	}
	return cid.NewCidV0(hash), nil
}

func (c client) readiness() error {
	response, err := http.Get("http://" + c.address + "/readiness")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readiness of %s: status code %d", c.address, response.StatusCode)
	}
	return nil
}

// post asks and reads, and like the original does not look at the status.
func (c client) post(ctx context.Context, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Add("Content-Type", "application/json")
	request.Header.Add(headerSchedulerID, c.schedulerID)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s of %s answers %q: %w", path, c.address, answer, err)
	}
	return nil
}

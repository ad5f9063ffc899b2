// Command peers runs DHT servers of go-libp2p-kad-dht on loopback, and publishes and finds as others do who use it.
//
// It says on one line of JSON who its servers are. Then it takes commands, one object on each line of its standard
// input, does them side by side, and answers each with one line that repeats the command's number. It ends with its
// standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// startTimeout is how long the servers may take to know each other.
	startTimeout = 40 * time.Second
	// commandTimeout is how long one command may take, joining the network included.
	commandTimeout = 30 * time.Second
	// maxLine is the longest command that is read.
	maxLine = 1 << 20
	// maxCommands is how many commands run side by side.
	maxCommands = 16
)

// command is one line of the standard input.
type command struct {
	// Ask is the number that the answer repeats.
	Ask int `json:"ask"`
	// Do is what to do: see swarm.do.
	Do       string `json:"do"`
	CID      string `json:"cid"`
	Strategy string `json:"strategy"`
	Peer     string `json:"peer"`
	// Beside is a peer that a newcomer's id shall be close to, if the command lets one join.
	Beside string `json:"beside"`
}

// answer is one line of the standard output.
type answer struct {
	To int `json:"to"`
	// Error is empty if the command succeeded.
	Error string `json:"error"`
	// Seconds is how long the operation itself took, on the monotonic clock.
	Seconds float64 `json:"seconds,omitempty"`
	// NetworkSize is what an optimistic publication was based on.
	NetworkSize int32      `json:"network_size,omitempty"`
	Providers   []provider `json:"providers,omitempty"`
	Puts        []put      `json:"puts,omitempty"`
	Tables      []table    `json:"tables,omitempty"`
	Peers       []string   `json:"peers,omitempty"`
	// Requests are how many of each type a peer has sent.
	Requests map[string]int `json:"requests,omitempty"`
}

// ready is the first line of the standard output.
type ready struct {
	Ready   bool    `json:"ready"`
	Seconds float64 `json:"seconds"`
	Servers []named `json:"servers"`
	// Missing are the IP addresses that nobody listens on, because this machine does not have them.
	Missing []string `json:"missing,omitempty"`
}

// named is a peer and where it can be dialled, /p2p/… included.
type named struct {
	ID        string   `json:"id"`
	Addresses []string `json:"addresses"`
	// Key and Transport are of which kind it is.
	Key       string `json:"key"`
	Transport string `json:"transport"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	count := flag.Int("peers", 30, "how many DHT servers to run")
	transport := flag.String("transport", "tcp", "what carries their connections: tcp, quic, both, ws, or mixed")
	keys := flag.String("keys", "ed25519", "type of their keys: rsa, secp256k1, ecdsa, ed25519, or mixed")
	ips := flag.String("ips", "127.0.0.1", "IP addresses, separated by commas, that they listen on, one after the other")
	habitName := flag.String("habit", "none", fmt.Sprintf("what they do with records: %s", strings.Join(habits, ", ")))
	introduced := flag.Bool("introduced", false, "tell the servers of each other instead of connecting each to each")
	far := flag.Duration("far", 0, "put them behind a link that takes as long in each direction, at "+farEnd.String())
	protocolID := flag.String("protocol", "/parsec/go/kad/1.0.0", "protocol id of the DHT")
	bootstrap := flag.String("bootstrap", "", "multiaddresses, separated by commas, of peers to join through besides them")
	flag.Parse()

	if *far > 0 {
		if err := goFar(*far); err != nil {
			return err
		}
		*ips = farEnd.String()
	}
	others, err := parsePeers(*bootstrap)
	if err != nil {
		return err
	}
	kinds, err := newDealer(*keys, *transport, *ips)
	if err != nil {
		return err
	}
	missing, err := kinds.withoutMissing()
	if err != nil {
		return err
	}
	habit, err := readHabit(*habitName)
	if err != nil {
		return err
	}
	started := time.Now()
	net := &swarm{
		protocol: protocol.ID(*protocolID), transport: *transport, kinds: kinds, habit: habit, others: others,
		introduced: *introduced,
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := net.start(ctx, *count); err != nil {
		return err
	}
	out := &lines{encoder: json.NewEncoder(os.Stdout)}
	out.write(ready{Ready: true, Seconds: time.Since(started).Seconds(), Servers: net.names(), Missing: missing})
	return serve(net, out)
}

// serve answers commands until there are no more.
func serve(net *swarm, out *lines) error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, maxLine)
	places := make(chan struct{}, maxCommands)
	for in.Scan() {
		var asked command
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			return fmt.Errorf("command %q: %w", in.Text(), err)
		}
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
			defer cancel()
			reply := answer{To: asked.Ask}
			if err := net.do(ctx, asked, &reply); err != nil {
				reply.Error = err.Error()
			}
			out.write(reply)
		}()
	}
	return in.Err()
}

// lines writes whole lines, whoever calls it.
type lines struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (l *lines) write(line any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	// Nobody reads any more: the standard input is about to end too.
	_ = l.encoder.Encode(line)
}

func parsePeers(list string) ([]peer.AddrInfo, error) {
	var peers []peer.AddrInfo
	for address := range strings.SplitSeq(list, ",") {
		if address == "" {
			continue
		}
		info, err := peer.AddrInfoFromString(address)
		if err != nil {
			return nil, fmt.Errorf("bootstrap peer %q: %w", address, err)
		}
		peers = append(peers, *info)
	}
	return peers, nil
}

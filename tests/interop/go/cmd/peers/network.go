package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// bucketSize is k, and how many peers of one common prefix a routing table holds.
	bucketSize = 20
	// poll is how often a state is looked at that others bring about.
	poll = 10 * time.Millisecond
	// connecting is how many peers a server connects to at once.
	connecting = 8
)

// provider is a record as it was found or is held.
type provider struct {
	// Holder is the server that holds it, if that was asked for.
	Holder    string   `json:"holder,omitempty"`
	ID        string   `json:"id"`
	Addresses []string `json:"addresses"`
	// Dials and Agent are what became of dialling the provider, if it was looked for.
	Dials []dialled `json:"dials,omitempty"`
	Agent string    `json:"agent,omitempty"`
}

// put is one provider of an ADD_PROVIDER, as it arrived.
type put struct {
	Holder    string   `json:"holder"`
	Sender    string   `json:"sender"`
	Provider  string   `json:"provider"`
	Addresses []string `json:"addresses"`
}

// table is whom a server knows.
type table struct {
	ID    string   `json:"id"`
	Knows []string `json:"knows"`
}

// server is one of the network's own peers.
type server struct {
	kind kind
	host host.Host
	dht  *dht.IpfsDHT
	// dead is set once it has died of its habit.
	dead *atomic.Bool
}

// swarm is a DHT of servers, and those who join it to publish or to find.
type swarm struct {
	protocol  protocol.ID
	transport string
	kinds     *dealer
	habit     string
	// introduced says whether the servers are told of each other instead of connecting each to each.
	introduced bool
	// others are peers of the same DHT that are not ours.
	others  []peer.AddrInfo
	servers []server

	joining   sync.Mutex
	newcomers map[string]*newcomer

	hearing sync.Mutex
	heard   map[string][]put
	// asked counts the requests of each peer by type.
	asked map[peer.ID]map[string]int
}

// start runs the servers, and returns when they know each other.
func (s *swarm) start(ctx context.Context, count int) error {
	s.newcomers = make(map[string]*newcomer)
	s.heard = make(map[string][]put)
	s.asked = make(map[peer.ID]map[string]int)
	for number := range count {
		if err := s.add(number); err != nil {
			return err
		}
	}
	if s.introduced {
		return s.introduce()
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.acquainted(ctx); err != nil {
		return err
	}
	return s.lookAround(ctx)
}

// add runs one more server.
func (s *swarm) add(number int) error {
	made := s.kinds.kind(number)
	key, err := identity(made.key, number)
	if err != nil {
		return err
	}
	plain, err := newHost(s.transport, made, key)
	if err != nil {
		return err
	}
	dead := new(atomic.Bool)
	host := plain
	if s.habit != "none" {
		die := func() {
			if dead.CompareAndSwap(false, true) {
				// It waits for the stream that it is called from.
				go plain.Close()
			}
		}
		host = habitual{Host: plain, habit: s.habit, heard: s.listen, die: die}
	}
	// The servers outlive the start. Everybody will be introduced to everybody: there is nothing to refresh.
	more := []dht.Option{dht.OnRequestHook(s.listen), dht.DisableAutoRefresh()}
	table, err := dht.New(context.Background(), host, s.options(dht.ModeServer, more...)...)
	if err != nil {
		return err
	}
	s.servers = append(s.servers, server{kind: made, host: plain, dht: table, dead: dead})
	return nil
}

// introduce tells each server of all others, as far as its routing table takes them.
func (s *swarm) introduce() error {
	for _, each := range s.servers {
		for _, other := range s.servers {
			if other.host.ID() == each.host.ID() {
				continue
			}
			each.host.Peerstore().AddAddrs(other.host.ID(), other.host.Addrs(), peerstore.PermanentAddrTTL)
			// An error says that its bucket is full.
			_, _ = each.dht.RoutingTable().TryAddPeer(other.host.ID(), true, false)
		}
	}
	return nil
}

// options are what makes a DHT of go-libp2p-kad-dht one on loopback: its filters for addresses and peers are off as long
// as nobody sets them, and so is the limit on peers from the same network.
func (s *swarm) options(mode dht.ModeOpt, more ...dht.Option) []dht.Option {
	return append([]dht.Option{dht.V1ProtocolOverride(s.protocol), dht.Mode(mode), dht.BucketSize(bucketSize)}, more...)
}

// connect connects each server to all before it, and to the peers that are not ours.
func (s *swarm) connect(ctx context.Context) error {
	var wait sync.WaitGroup
	failures := make(chan error, len(s.servers))
	places := make(chan struct{}, connecting)
	for number, each := range s.servers {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			to := s.others
			for _, earlier := range s.servers[:number] {
				to = append(to[:len(to):len(to)], *host.InfoFromHost(earlier.host))
			}
			for _, info := range to {
				if err := each.host.Connect(ctx, info); err != nil {
					failures <- fmt.Errorf("server %d cannot connect to %s: %w", number, info, err)
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	return <-failures
}

// acquainted waits until each server knows as many of the others as its routing table takes.
func (s *swarm) acquainted(ctx context.Context) error {
	for number, each := range s.servers {
		self := kbucket.ConvertPeerID(each.host.ID())
		prefixes := make(map[int]int)
		for _, other := range s.servers {
			if other.host.ID() != each.host.ID() {
				prefixes[kbucket.CommonPrefixLen(self, kbucket.ConvertPeerID(other.host.ID()))]++
			}
		}
		expected := 0
		for _, peers := range prefixes {
			expected += min(peers, bucketSize)
		}
		what := func() string {
			return fmt.Sprintf("server %d knows %d peers of %d", number, each.dht.RoutingTable().Size(), expected)
		}
		if err := until(ctx, what, func() bool { return each.dht.RoutingTable().Size() >= expected }); err != nil {
			return err
		}
	}
	return nil
}

// lookAround lets the servers find whom they have not been introduced to, if some peers are not ours.
func (s *swarm) lookAround(ctx context.Context) error {
	if len(s.others) == 0 {
		return nil
	}
	for number, each := range s.servers {
		select {
		case err := <-each.dht.ForceRefresh():
			if err != nil {
				return fmt.Errorf("refresh of server %d: %w", number, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("refresh of server %d: %w", number, ctx.Err())
		}
	}
	return nil
}

// until waits for a state.
func until(ctx context.Context, what func() string, is func() bool) error {
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), what())
		case <-time.After(poll):
		}
	}
	return nil
}

// listen counts requests, and notes ADD_PROVIDERs before anything is checked.
func (s *swarm) listen(_ context.Context, stream network.Stream, request *pb.Message) {
	s.hearing.Lock()
	defer s.hearing.Unlock()
	from := stream.Conn().RemotePeer()
	if s.asked[from] == nil {
		s.asked[from] = make(map[string]int)
	}
	s.asked[from][request.GetType().String()]++
	if request.GetType() != pb.Message_ADD_PROVIDER {
		return
	}
	key := string(request.GetKey())
	for _, info := range pb.PBPeersToPeerInfos(request.GetProviderPeers()) {
		s.heard[key] = append(s.heard[key], put{
			Holder:    stream.Conn().LocalPeer().String(),
			Sender:    stream.Conn().RemotePeer().String(),
			Provider:  info.ID.String(),
			Addresses: texts(info.Addrs),
		})
	}
}

func (s *swarm) names() []named {
	names := make([]named, 0, len(s.servers))
	for _, each := range s.servers {
		// A host that listens has addresses; these can only fail to carry a peer id if it has none.
		full, _ := peer.AddrInfoToP2pAddrs(host.InfoFromHost(each.host))
		names = append(names, named{
			ID: each.host.ID().String(), Addresses: texts(full), Key: each.kind.key, Transport: each.kind.transport,
		})
	}
	return names
}

// do carries a command out.
func (s *swarm) do(ctx context.Context, asked command, reply *answer) error {
	switch asked.Do {
	case "tables":
		for _, each := range s.servers {
			known := table{ID: each.host.ID().String()}
			for _, id := range each.dht.RoutingTable().ListPeers() {
				known.Knows = append(known.Knows, id.String())
			}
			reply.Tables = append(reply.Tables, known)
		}
		return nil
	case "crawl":
		return s.crawl(ctx, reply)
	case "hangup", "requests":
		id, err := peer.Decode(asked.Peer)
		if err != nil {
			return fmt.Errorf("peer %q: %w", asked.Peer, err)
		}
		if asked.Do == "requests" {
			reply.Requests = s.requests(id)
			return nil
		}
		return s.hangUp(id)
	}
	content, err := cid.Decode(asked.CID)
	if err != nil {
		return fmt.Errorf("cid %q: %w", asked.CID, err)
	}
	switch asked.Do {
	case "provide":
		return s.provide(ctx, asked, content, reply)
	case "find":
		return s.find(ctx, asked, content, reply)
	case "holders":
		return s.holders(ctx, content, reply)
	case "closest":
		reply.Peers = s.closest(content)
		return nil
	case "puts":
		s.hearing.Lock()
		defer s.hearing.Unlock()
		reply.Puts = append(reply.Puts, s.heard[string(content.Hash())]...)
		return nil
	default:
		return fmt.Errorf("command %q: expected tables, crawl, hangup, requests, provide, find, holders, closest or puts", asked.Do)
	}
}

// holders are the servers that hold a record, with what they would answer.
func (s *swarm) holders(ctx context.Context, content cid.Cid, reply *answer) error {
	for _, each := range s.servers {
		if each.dead.Load() {
			continue
		}
		records, err := each.dht.ProviderStore().GetProviders(ctx, content.Hash())
		if err != nil {
			return err
		}
		for _, record := range records {
			held := provider{Holder: each.host.ID().String(), ID: record.ID.String(), Addresses: texts(record.Addrs)}
			reply.Providers = append(reply.Providers, held)
		}
	}
	return nil
}

// closest are the servers that shall hold a record, closest first.
func (s *swarm) closest(content cid.Cid) []string {
	ids := make([]peer.ID, 0, len(s.servers))
	for _, each := range s.servers {
		ids = append(ids, each.host.ID())
	}
	sorted := kbucket.SortClosestPeers(ids, kbucket.ConvertKey(string(content.Hash())))
	return texts(sorted[:min(len(sorted), bucketSize)])
}

// requests are what a peer has sent since it was last asked for.
func (s *swarm) requests(from peer.ID) map[string]int {
	s.hearing.Lock()
	defer s.hearing.Unlock()
	counted := s.asked[from]
	delete(s.asked, from)
	return counted
}

// hangUp closes each server's connections with a peer.
func (s *swarm) hangUp(from peer.ID) error {
	for _, each := range s.servers {
		if err := each.host.Network().ClosePeer(from); err != nil {
			return err
		}
	}
	return nil
}

func texts[T fmt.Stringer](values []T) []string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		texts = append(texts, value.String())
	}
	return texts
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/crawler"
	"github.com/libp2p/go-libp2p-kad-dht/fullrt"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// bootstrapPeers is how many peers a newcomer joins through.
	bootstrapPeers = 4
	// crawlParallelism is how many peers a crawl asks at once.
	crawlParallelism = 32
)

// elsewhere is an address that nobody has: it lies in the network set aside for documentation, and no host of ours dials
// it. fullrt takes only peers of which it knows an address outside private networks, and no option says otherwise.
var elsewhere = ma.StringCast("/ip6/2001:db8::1/tcp/4001")

// newcomer is a client of the DHT, as a measuring node is one.
type newcomer struct {
	host    host.Host
	routing routing.ContentRouting
	// size is what it takes for the size of the network; nil if it does not publish by it.
	size func() (int32, error)
	// met are the peers of its crawl.
	met func() map[string]peer.ID
}

// newcomer joins with a strategy and in a role, and stays: whoever finds must not be who publishes. Beside is a peer id that
// its own shall be close to, or empty.
func (s *swarm) newcomer(ctx context.Context, role, strategy, beside string) (*newcomer, error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	name := role + " " + strategy
	if known, ok := s.newcomers[name]; ok {
		return known, nil
	}
	joined, err := s.join(ctx, strategy, beside)
	if err != nil {
		return nil, fmt.Errorf("join as %s: %w", name, err)
	}
	s.newcomers[name] = joined
	return joined, nil
}

func (s *swarm) join(ctx context.Context, strategy, beside string) (*newcomer, error) {
	key, err := identityBeside(beside)
	if err != nil {
		return nil, err
	}
	switch strategy {
	case "server":
		if len(s.servers) == 0 {
			return nil, fmt.Errorf("there is no server")
		}
		return &newcomer{host: s.servers[0].host, routing: s.servers[0].dht}, nil
	case "classic":
		return s.joinByLookups(ctx, key, false)
	case "optprov":
		return s.joinByLookups(ctx, key, true, dht.EnableOptimisticProvide())
	case "fullrt":
		return s.joinByCrawl(ctx, key)
	default:
		return nil, fmt.Errorf("strategy %q: expected classic, optprov, fullrt or server", strategy)
	}
}

// newcomerHost is a host of no server's: it listens on all that the network has.
func (s *swarm) newcomerHost(key crypto.PrivKey) (host.Host, error) {
	return newHost(s.transport, kind{transport: s.transport, ip: s.kinds.ips[0]}, key)
}

// bootstrap are peers to join through.
func (s *swarm) bootstrap() []peer.AddrInfo {
	peers := s.others
	for _, each := range s.servers {
		peers = append(peers[:len(peers):len(peers)], *host.InfoFromHost(each.host))
	}
	return peers[:min(len(peers), bootstrapPeers)]
}

func (s *swarm) joinByLookups(
	ctx context.Context, key crypto.PrivKey, needsSize bool, more ...dht.Option,
) (*newcomer, error) {
	host, err := s.newcomerHost(key)
	if err != nil {
		return nil, err
	}
	peers := s.bootstrap()
	more = append(more, dht.BootstrapPeers(peers...))
	// The node outlives the command that made it join.
	table, err := dht.New(context.Background(), host, s.options(dht.ModeClient, more...)...)
	if err != nil {
		return nil, err
	}
	for _, info := range peers {
		if err := host.Connect(ctx, info); err != nil {
			return nil, fmt.Errorf("bootstrap peer %s: %w", info, err)
		}
	}
	known := func() string { return fmt.Sprintf("%d peers known", table.RoutingTable().Size()) }
	if err := until(ctx, known, func() bool { return table.RoutingTable().Size() > 0 }); err != nil {
		return nil, err
	}
	// A refresh is lookups, and those tell the size of a network of 20 and more once there have been enough of them.
	for {
		select {
		case err := <-table.ForceRefresh():
			if err != nil {
				return nil, fmt.Errorf("refresh: %w", err)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("refresh: %w", ctx.Err())
		}
		if _, err := table.NetworkSize(); err == nil || !needsSize {
			return &newcomer{host: host, routing: table, size: table.NetworkSize}, nil
		}
	}
}

func (s *swarm) joinByCrawl(ctx context.Context, key crypto.PrivKey) (*newcomer, error) {
	plain, err := s.newcomerHost(key)
	if err != nil {
		return nil, err
	}
	crawl, err := crawler.NewDefaultCrawler(plain,
		crawler.WithProtocols([]protocol.ID{s.protocol}), crawler.WithParallelism(crawlParallelism))
	if err != nil {
		return nil, err
	}
	table, err := fullrt.NewFullRT(speaking{plain, s.protocol}, "/parsec/go",
		fullrt.WithCrawler(seemingPublic{crawl, plain.Peerstore()}),
		fullrt.WithIPDiversityFilterLimit(0),
		fullrt.DHTOption(dht.BucketSize(bucketSize), dht.BootstrapPeers(s.bootstrap()...)))
	if err != nil {
		return nil, err
	}
	met := func() string { return fmt.Sprintf("%d peers met by the crawl", len(table.Stat())) }
	if err := until(ctx, met, table.Ready); err != nil {
		return nil, err
	}
	return &newcomer{host: plain, routing: table, met: table.Stat}, nil
}

// seemingPublic is a crawler that tells fullrt an address elsewhere of each peer that it meets.
type seemingPublic struct {
	crawler.Crawler
	addresses peerstore.Peerstore
}

func (c seemingPublic) Run(
	ctx context.Context, from []*peer.AddrInfo, met crawler.HandleQueryResult, missed crawler.HandleQueryFail,
) {
	c.Crawler.Run(ctx, from, func(id peer.ID, knows []*peer.AddrInfo) {
		c.addresses.AddAddr(id, elsewhere, peerstore.PermanentAddrTTL)
		met(id, knows)
	}, missed)
}

// crawl says whom a newcomer with a full routing table meets.
func (s *swarm) crawl(ctx context.Context, reply *answer) error {
	started := time.Now()
	joined, err := s.join(ctx, "fullrt", "")
	if err != nil {
		return err
	}
	defer joined.host.Close()
	reply.Seconds = time.Since(started).Seconds()
	for _, id := range joined.met() {
		reply.Peers = append(reply.Peers, id.String())
	}
	return nil
}

func (s *swarm) provide(ctx context.Context, asked command, content cid.Cid, reply *answer) error {
	strategy := asked.Strategy
	joined, err := s.newcomer(ctx, "provider", strategy, asked.Beside)
	if err != nil {
		return err
	}
	if strategy == "optprov" {
		if reply.NetworkSize, err = joined.size(); err != nil {
			return err
		}
	}
	reply.Peers = []string{joined.host.ID().String()}
	started := time.Now()
	err = joined.routing.Provide(ctx, content, true)
	reply.Seconds = time.Since(started).Seconds()
	return err
}

func (s *swarm) find(ctx context.Context, asked command, content cid.Cid, reply *answer) error {
	joined, err := s.newcomer(ctx, "finder", asked.Strategy, asked.Beside)
	if err != nil {
		return err
	}
	reply.Peers = []string{joined.host.ID().String()}
	searching, cancel := context.WithCancel(ctx)
	defer cancel()
	started := time.Now()
	found, ok := <-joined.routing.FindProvidersAsync(searching, content, 1)
	reply.Seconds = time.Since(started).Seconds()
	if !ok {
		return fmt.Errorf("not found")
	}
	// As the original does, lest the next search be too easy.
	_ = joined.host.Network().ClosePeer(found.ID)
	joined.host.Peerstore().RemovePeer(found.ID)
	joined.host.Peerstore().ClearAddrs(found.ID)

	dials, agent, err := dialEach(ctx, found)
	if err != nil {
		return err
	}
	record := provider{ID: found.ID.String(), Addresses: texts(found.Addrs), Dials: dials, Agent: agent}
	reply.Providers = append(reply.Providers, record)
	return nil
}

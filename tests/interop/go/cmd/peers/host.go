package main

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	listenTCP  = "/ip4/127.0.0.1/tcp/0"
	listenQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
)

// identity is the key of the server with this number: the same in every run, and with it who is close to whom.
func identity(number int) (crypto.PrivKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(number)+1)
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
}

// newHost is a host as go-libp2p makes it by default, except that it stays on loopback. Without a key it gets a new one.
func newHost(transport string, key crypto.PrivKey) (host.Host, error) {
	options := []libp2p.Option{
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.ConnectionGater(onlyLoopback{}),
		libp2p.UserAgent("parsec-interop-go"),
	}
	if key != nil {
		options = append(options, libp2p.Identity(key))
	}
	switch transport {
	case "tcp":
		options = append(options, libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings(listenTCP))
	case "quic":
		options = append(options, libp2p.Transport(quic.NewTransport), libp2p.ListenAddrStrings(listenQUIC))
	case "both":
		options = append(options, libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport),
			libp2p.ListenAddrStrings(listenTCP, listenQUIC))
	default:
		return nil, fmt.Errorf("transport %q: expected tcp, quic or both", transport)
	}
	return libp2p.New(options...)
}

// onlyLoopback keeps a host from dialling anything but this machine.
type onlyLoopback struct{}

func (onlyLoopback) InterceptPeerDial(peer.ID) bool { return true }

func (onlyLoopback) InterceptAddrDial(_ peer.ID, address ma.Multiaddr) bool {
	return manet.IsIPLoopback(address)
}

func (onlyLoopback) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (onlyLoopback) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (onlyLoopback) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// speaking is a host that opens streams of one protocol, whatever it is asked for: fullrt asks for Amino's alone.
type speaking struct {
	host.Host
	protocol protocol.ID
}

func (h speaking) NewStream(ctx context.Context, to peer.ID, _ ...protocol.ID) (network.Stream, error) {
	return h.Host.NewStream(ctx, to, h.protocol)
}

// dialled is an address with what became of dialling it; empty if it was reached.
type dialled struct {
	Address string `json:"address"`
	Failure string `json:"failure"`
}

// dialEach dials each address of a peer from a host that knows nothing else of it, and says what the peer calls itself.
func dialEach(ctx context.Context, to peer.AddrInfo) (results []dialled, agent string, err error) {
	stranger, err := newHost("both", nil)
	if err != nil {
		return nil, "", err
	}
	defer stranger.Close()
	for _, address := range to.Addrs {
		result := dialled{Address: address.String()}
		if err := stranger.Connect(ctx, peer.AddrInfo{ID: to.ID, Addrs: []ma.Multiaddr{address}}); err != nil {
			result.Failure = err.Error()
		} else if named, err := stranger.Peerstore().Get(to.ID, "AgentVersion"); err == nil {
			agent = fmt.Sprint(named)
		}
		results = append(results, result)
		_ = stranger.Network().ClosePeer(to.ID)
		stranger.Peerstore().ClearAddrs(to.ID)
	}
	return results, agent, nil
}

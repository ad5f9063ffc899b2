package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// carriers are the transports by name.
var carriers = map[string]libp2p.Option{
	"tcp":  libp2p.Transport(tcp.NewTCPTransport),
	"quic": libp2p.Transport(quic.NewTransport),
	"ws":   libp2p.Transport(websocket.New),
}

// listens are the addresses of a transport, after the IP address.
var listens = map[string][]string{
	"tcp":  {"/tcp/0"},
	"quic": {"/udp/0/quic-v1"},
	"both": {"/tcp/0", "/udp/0/quic-v1"},
	"ws":   {"/tcp/0/ws"},
	// Who comes into a mixed network meets others over each of its transports.
	"mixed": {"/tcp/0", "/udp/0/quic-v1", "/tcp/0/ws"},
}

// speaks are the transports that a host dials with. In a mixed network everybody has all of them, and each announces its own.
func speaks(transport string) []string {
	switch transport {
	case "mixed":
		return []string{"tcp", "quic", "ws"}
	case "both":
		return []string{"tcp", "quic"}
	default:
		return []string{transport}
	}
}

// newHost is a host as go-libp2p makes it by default, except that it stays on this machine. It dials over the transports of
// the network, and listens as its kind says. Without a key it gets a new one.
func newHost(transport string, made kind, key crypto.PrivKey) (host.Host, error) {
	options := []libp2p.Option{
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.ConnectionGater(onlyHere{}),
		libp2p.UserAgent("parsec-interop-go"),
	}
	if key != nil {
		options = append(options, libp2p.Identity(key))
	}
	for _, name := range speaks(transport) {
		options = append(options, carriers[name])
	}
	ip := "/ip4/"
	if made.ip.Is6() {
		ip = "/ip6/"
	}
	for _, rest := range listens[made.transport] {
		options = append(options, libp2p.ListenAddrStrings(ip+made.ip.String()+rest))
	}
	if !made.ip.IsLoopback() {
		// By default a host has at most 8 connections with one address, unless it is a loopback one.
		options = append(options, libp2p.ResourceManager(&network.NullResourceManager{}))
	}
	return libp2p.New(options...)
}

// onlyHere keeps a host from dialling anything but this machine and the other end of the long way (see far.go).
type onlyHere struct{}

func (onlyHere) InterceptPeerDial(peer.ID) bool { return true }

func (onlyHere) InterceptAddrDial(_ peer.ID, address ma.Multiaddr) bool {
	ip, err := manet.ToIP(address)
	if err != nil {
		return false
	}
	at, ok := netip.AddrFromSlice(ip)
	return ok && (at.Unmap().IsLoopback() || longWay.Contains(at.Unmap()))
}

func (onlyHere) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (onlyHere) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (onlyHere) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

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
	stranger, err := newHost("mixed", kind{transport: "both", ip: loopback}, nil)
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

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// rsaBits is how long the RSA keys are: those of Amino's bootstrap peers are as long.
const rsaBits = 2048

// besidePrefix is how many bits an id has in common with that of the peer that it shall be close to: their routing tables have
// the same buckets then, as far as a network of some hundred peers fills them.
const besidePrefix = 8

// loopback is where a host listens if nothing else was asked for.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// The kinds that a mixed network is dealt from.
var (
	mixedKeys       = []string{"rsa", "secp256k1", "ecdsa", "ed25519"}
	mixedTransports = []string{"tcp", "quic", "both", "ws"}
)

// kind is what a server is made of.
type kind struct {
	// key is the type of its key.
	key string
	// transport is how it listens: see listens.
	transport string
	// ip is where it listens.
	ip netip.Addr
}

// dealer deals kinds to servers.
type dealer struct {
	keys, transports []string
	ips              []netip.Addr
}

// newDealer reads what the command line says of the servers: a kind that all have, or "mixed".
func newDealer(keys, transports, ips string) (*dealer, error) {
	deals := &dealer{keys: []string{keys}, transports: []string{transports}}
	if keys == "mixed" {
		deals.keys = mixedKeys
	} else if !slices.Contains(mixedKeys, keys) {
		return nil, fmt.Errorf("key type %q: expected one of %s, or mixed", keys, strings.Join(mixedKeys, ", "))
	}
	if transports == "mixed" {
		deals.transports = mixedTransports
	} else if !slices.Contains(mixedTransports, transports) {
		return nil, fmt.Errorf("transport %q: expected one of %s, or mixed", transports, strings.Join(mixedTransports, ", "))
	}
	for text := range strings.SplitSeq(ips, ",") {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("IP address %q: %w", text, err)
		}
		deals.ips = append(deals.ips, ip)
	}
	return deals, nil
}

// withoutMissing leaves out the IP addresses that this machine does not have, and returns them: not every host has IPv6.
func (d *dealer) withoutMissing() (missing []string, err error) {
	d.ips = slices.DeleteFunc(d.ips, func(ip netip.Addr) bool {
		listener, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
		if err != nil {
			missing = append(missing, ip.String())
			return true
		}
		_ = listener.Close()
		return false
	})
	if len(d.ips) == 0 {
		return missing, fmt.Errorf("this machine has none of the IP addresses %s", strings.Join(missing, ", "))
	}
	return missing, nil
}

// kind is that of the server with this number: each combination comes once before any comes twice.
func (d *dealer) kind(number int) kind {
	key := d.keys[number%len(d.keys)]
	number /= len(d.keys)
	transport := d.transports[number%len(d.transports)]
	number /= len(d.transports)
	return kind{key: key, transport: transport, ip: d.ips[number%len(d.ips)]}
}

// identity is the key of the server with this number: the same in every run, and with it who is close to whom, except for
// RSA and ECDSA, which Go makes from its own randomness only.
func identity(keyType string, number int) (crypto.PrivKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(number)+1)
	switch keyType {
	case "rsa":
		key, _, err := crypto.GenerateRSAKeyPair(rsaBits, rand.Reader)
		return key, err
	case "ecdsa":
		key, _, err := crypto.GenerateECDSAKeyPair(rand.Reader)
		return key, err
	case "secp256k1":
		return crypto.UnmarshalSecp256k1PrivateKey(seed)
	default:
		return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	}
}

// identityBeside is a new key, the id of which is close to this one; any new key if that is empty.
func identityBeside(beside string) (crypto.PrivKey, error) {
	if beside == "" {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		return key, err
	}
	other, err := peer.Decode(beside)
	if err != nil {
		return nil, fmt.Errorf("peer %q: %w", beside, err)
	}
	for {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			return nil, err
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			return nil, err
		}
		if kbucket.CommonPrefixLen(kbucket.ConvertPeerID(id), kbucket.ConvertPeerID(other)) >= besidePrefix {
			return key, nil
		}
	}
}

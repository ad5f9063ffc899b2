package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"
)

// habits are the ways in which servers of the field lose records, besides "none". A server that has one of them does
// everything else as go-libp2p-kad-dht does it.
var habits = []string{
	"none",
	// Serves one request on each stream and closes it, as nabu (Java) and py-libp2p do.
	"closes",
	// Resets the stream of a put instead of reading it to its end.
	"resets",
	// Keeps the record and sends the put back, as the IPFS specification says.
	"echoes",
	// Reads the put and keeps nothing, as servers do that dislike its key or its addresses.
	"refuses",
	// Reads the put, and is gone.
	"dies",
}

// readHabit checks that there is such a habit.
func readHabit(name string) (string, error) {
	if !slices.Contains(habits, name) {
		return "", fmt.Errorf("habit %q: expected one of %v", name, habits)
	}
	return name, nil
}

// habitual is a host whose DHT has a habit.
type habitual struct {
	host.Host
	habit string
	// heard is told of puts that never reach the DHT.
	heard func(context.Context, network.Stream, *pb.Message)
	die   func()
}

func (h habitual) SetStreamHandler(id protocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(stream network.Stream) {
		handler(&habitualStream{Stream: stream, host: h, in: bufio.NewReader(stream)})
	})
}

// habitualStream hands the DHT one whole request after the other, those that the habit lets through.
type habitualStream struct {
	network.Stream
	host habitual
	in   *bufio.Reader
	// rest is what is left of the request that the DHT is reading.
	rest []byte
	// echo is sent back once the DHT has done what it asks.
	echo   []byte
	served bool
}

func (s *habitualStream) Read(into []byte) (int, error) {
	if len(s.rest) == 0 {
		request, err := s.next()
		if err != nil {
			return 0, err
		}
		s.rest = request
	}
	n := copy(into, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *habitualStream) next() ([]byte, error) {
	if s.echo != nil {
		if _, err := s.Write(s.echo); err != nil {
			return nil, err
		}
		s.echo = nil
	}
	for !s.served || s.host.habit != "closes" {
		request, err := readRequest(s.in)
		if err != nil {
			return nil, err
		}
		s.served = true
		message, err := parseRequest(request)
		if err != nil {
			return nil, err
		}
		if message.GetType() != pb.Message_ADD_PROVIDER {
			return request, nil
		}
		switch s.host.habit {
		case "echoes":
			s.echo = request
			return request, nil
		case "resets":
			s.host.heard(context.Background(), s, message)
			return nil, network.ErrReset
		case "refuses":
			s.host.heard(context.Background(), s, message)
		case "dies":
			s.host.heard(context.Background(), s, message)
			s.host.die()
			return nil, network.ErrReset
		default:
			return request, nil
		}
	}
	return nil, io.EOF
}

// readRequest reads one message with the length before it.
func readRequest(in *bufio.Reader) ([]byte, error) {
	length, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	if length > network.MessageSizeMax {
		return nil, fmt.Errorf("a request of %d bytes", length)
	}
	request := binary.AppendUvarint(nil, length)
	body := len(request)
	request = append(request, make([]byte, length)...)
	_, err = io.ReadFull(in, request[body:])
	return request, err
}

func parseRequest(request []byte) (*pb.Message, error) {
	_, length := binary.Uvarint(request)
	message := new(pb.Message)
	return message, proto.Unmarshal(request[length:], message)
}

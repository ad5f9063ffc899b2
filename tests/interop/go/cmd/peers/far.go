package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// The servers can be put at the end of a long way: into a network namespace of their own, whose only link with the one that
// the program was started in carries each packet as late as it was told. Whoever stays at the near end, parsec or Go, has the
// same way to them, from the first packet of a handshake to the last. It takes the right to make network namespaces; the
// link and the namespace end with the process.

const (
	// mtu is the longest packet, as on Ethernet.
	mtu = 1500
	// packetsUnderWay is how many packets the link holds in each direction; those beyond wait in the kernel's queue.
	packetsUnderWay = 16384
	// farDescriptor tells the process that it is at the far end, and which open file is the near end of the link.
	farDescriptor = "PARSEC_INTEROP_NEAR_END"
)

var (
	// longWay is the network of the link: its two ends.
	longWay = netip.MustParsePrefix("10.77.0.0/24")
	nearEnd = netip.MustParseAddr("10.77.0.1")
	farEnd  = netip.MustParseAddr("10.77.0.2")
)

// goFar moves the process to the far end of a link that takes this long in each direction. It starts over there, and
// returns there alone.
func goFar(delay time.Duration) error {
	near := os.Getenv(farDescriptor)
	if near == "" {
		return leave()
	}
	descriptor, err := strconv.Atoi(near)
	if err != nil {
		return fmt.Errorf("%s=%q: %w", farDescriptor, near, err)
	}
	far, err := tunnel("parsec-far", farEnd)
	if err != nil {
		return err
	}
	if err := ip("link set lo up"); err != nil {
		return err
	}
	ends := [2]*os.File{os.NewFile(uintptr(descriptor), "near"), os.NewFile(uintptr(far), "far")}
	go carry(ends[0], ends[1], delay)
	go carry(ends[1], ends[0], delay)
	return nil
}

// leave makes the near end, and starts this program again in a new network namespace.
func leave() error {
	near, err := tunnel("parsec-near", nearEnd)
	if err != nil {
		return err
	}
	// A namespace is entered by a thread, and the program that it starts stays there.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("new network namespace: %w", err)
	}
	environment := append(os.Environ(), fmt.Sprintf("%s=%d", farDescriptor, near))
	return syscall.Exec("/proc/self/exe", os.Args, environment)
}

// tunnel makes one end of the link: an interface, and the file that its packets go through.
func tunnel(name string, address netip.Addr) (int, error) {
	descriptor, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	_, _, failure := syscall.Syscall(syscall.SYS_IOCTL,
		uintptr(descriptor), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request)))
	if failure != 0 {
		return 0, fmt.Errorf("network interface %s: %w", name, failure)
	}
	for _, command := range []string{
		fmt.Sprintf("addr add %s/%d dev %s", address, longWay.Bits(), name),
		fmt.Sprintf("link set %s mtu %d up", name, mtu),
	} {
		if err := ip(command); err != nil {
			return 0, err
		}
	}
	return descriptor, nil
}

func ip(command string) error {
	output, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, output)
	}
	return nil
}

// carry takes packets from one end to the other, each as long after it came as the way is.
func carry(from, to *os.File, delay time.Duration) {
	type packet struct {
		due   time.Time
		bytes []byte
	}
	under := make(chan packet, packetsUnderWay)
	go func() {
		for each := range under {
			time.Sleep(time.Until(each.due))
			// What the other end cannot take is lost, as on any link.
			_, _ = to.Write(each.bytes)
		}
	}()
	for {
		bytes := make([]byte, mtu)
		length, err := from.Read(bytes)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err == nil {
			under <- packet{time.Now().Add(delay), bytes[:length]}
		}
	}
}

// A fan-out server on Centrifuge, the library that Centrifugo is made of, as loadtest peers starts
// it: centrifugo PORT SCHEDULE SIZE
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	// How long one turn may publish before clients and the network have theirs.
	turnTime = 20 * time.Millisecond
	// Who is further behind than this leaves out what is older.
	maxBehind = time.Second
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: centrifugo PORT SCHEDULE SIZE")
	}
	schedule, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	size, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	node, err := newNode()
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		UseWriteBufferPool: true,
		ReadBufferSize:     512,
		CheckOrigin:        func(*http.Request) bool { return true },
	}))
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)) }()

	publisher := publisher{node: node, schedule: schedule, size: size}
	publisher.run(orders())
}

// A node in memory, without history or presence: what is needed to fan out, and no more.
func newNode() (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{
		// Slow clients are cut off beyond this, not earlier: loss is then seen as what it is.
		ClientQueueMaxSize: 16 << 20,
	})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials: &centrifuge.Credentials{},
			// As many messages as wait go into one write.
			MaxMessagesInFrame: -1,
		}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
	})
	return node, node.Run()
}

// Standard input says "start NANOSECONDS", the time between two messages, and "stop" (0 here);
// its end is the end of the server.
func orders() <-chan time.Duration {
	orders := make(chan time.Duration)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			order, value, _ := strings.Cut(lines.Text(), " ")
			period, _ := strconv.ParseInt(value, 10, 64)
			if order != "start" {
				period = 0
			}
			orders <- time.Duration(period)
		}
		os.Exit(0)
	}()
	return orders
}

type publisher struct {
	node     *centrifuge.Node
	schedule []byte
	size     int
	next     int
}

func (p *publisher) run(orders <-chan time.Duration) {
	var period time.Duration
	// A message's time is when it is due: what a busy server makes late is late.
	var begun time.Time
	var done int64
	for {
		if period == 0 {
			period, begun, done = <-orders, time.Now(), 0
			continue
		}
		// Until the next one is due, not a period longer: two at once are less work.
		next := time.Until(begun.Add(time.Duration(done+1) * period))
		interval := min(100*time.Millisecond, max(time.Millisecond, next))
		select {
		case period = <-orders:
			begun, done = time.Now(), 0
			continue
		case <-time.After(interval):
		}
		now := time.Now()
		due := int64(now.Sub(begun) / period)
		done = max(done, due-int64(maxBehind/period)-1)
		for ; done < due && time.Since(now) < turnTime; done++ {
			due := begun.Add(time.Duration(done+1) * period)
			if err := p.publish(due); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
}

func (p *publisher) publish(due time.Time) error {
	topic := binary.LittleEndian.Uint16(p.schedule[2*p.next:])
	p.next = (p.next + 1) % (len(p.schedule) / 2)
	message := make([]byte, p.size)
	binary.LittleEndian.PutUint64(message, uint64(due.UnixNano()))
	_, err := p.node.Publish(strconv.Itoa(int(topic)), message)
	return err
}

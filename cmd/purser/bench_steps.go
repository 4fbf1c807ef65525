package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// benchKind is what a load generator asks for.
type benchKind string

// What is asked for, each time.
const (
	benchSpend benchKind = "spends"
	benchFlood benchKind = "a flood of spends" // refused ones aren't asked for again
	benchHold  benchKind = "holds"             // with their capture
	benchRead  benchKind = "reads"
	benchEvent benchKind = "events"
)

// benchSteps do each kind once.
var benchSteps = map[benchKind]func(*benchConn, int64) error{
	benchSpend: (*benchConn).spend, benchFlood: (*benchConn).flood, benchHold: (*benchConn).hold, benchRead: (*benchConn).read,
	benchEvent: (*benchConn).event,
}

// benchConn is one client's connection.
type benchConn struct {
	c    *benchClients
	conn net.Conn
	in   *bufio.Reader
}

// benchPause is how long a client waits before it asks again.
const benchPause = 100 * time.Millisecond

// errBenchRefused says that the server had too much to do, and said when to come back.
var errBenchRefused = errors.New("refused")

// ask asks until it is answered with other than 503: the same request with the same key
// is done once, however often it comes.
func (b *benchConn) ask(request []byte, status int) ([]byte, error) {
	for {
		at := b.c.now()
		body, err := b.once(request, status)
		if !errors.Is(err, errBenchRefused) || at.After(b.c.window.end.Add(benchPatience)) {
			return body, err
		}
		b.c.retries.Add(1)
		time.Sleep(benchPause)
	}
}

// once asks once.
func (b *benchConn) once(request []byte, status int) ([]byte, error) {
	if err := b.conn.SetDeadline(b.c.now().Add(benchPatience)); err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	if _, err := b.conn.Write(request); err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	res, err := http.ReadResponse(b.in, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	switch res.StatusCode {
	case status:
		return body, nil
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if res.Header.Get("Retry-After") != "" {
			return nil, fmt.Errorf("answered with %d: %w", res.StatusCode, errBenchRefused)
		}
	}
	return nil, fmt.Errorf("answered with %d: %s", res.StatusCode, oneLine(string(body)))
}

// team and member are those of the n-th: the pools take turns, and in each its members.
func (b *benchConn) team(n int64) (team, member int) {
	o := b.c.order
	return o.First + int(n)%o.Pools, int(n) / o.Pools % o.Members
}

func (b *benchConn) post(path, key, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Idempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s", path, b.c.order.Address, b.c.order.Token, key, len(body), body)
}

func (b *benchConn) spendRequest(n int64) []byte {
	team, member := b.team(n)
	return b.post("/v1/teams/"+benchTeam(team)+"/spends", fmt.Sprintf("%s-%d", b.c.order.Prefix, n),
		fmt.Sprintf(`{"user_id":%q,"credits":%d}`, benchMember(team, member), benchCredits))
}

func (b *benchConn) spend(n int64) error {
	_, err := b.ask(b.spendRequest(n), http.StatusCreated)
	return err
}

func (b *benchConn) flood(n int64) error {
	_, err := b.once(b.spendRequest(n), http.StatusCreated)
	return err
}

func (b *benchConn) hold(n int64) error {
	team, member := b.team(n)
	path := "/v1/teams/" + benchTeam(team) + "/holds"
	key := fmt.Sprintf("%s-%d", b.c.order.Prefix, n)
	answer, err := b.ask(b.post(path, key, fmt.Sprintf(`{"user_id":%q,"credits":%d}`, benchMember(team, member), benchCredits)), http.StatusCreated)
	if err != nil {
		return err
	}
	var held struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &held); err != nil || held.ID == "" {
		return fmt.Errorf("reading a hold: %w: %s", err, oneLine(string(answer)))
	}
	_, err = b.ask(b.post(path+"/"+held.ID+"/capture", key+"-capture", "{}"), http.StatusCreated)
	return err
}

func (b *benchConn) read(n int64) error {
	team, _ := b.team(n)
	_, err := b.ask(fmt.Appendf(nil, "GET /v1/teams/%s/pool HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		benchTeam(team), b.c.order.Address, b.c.order.Token), http.StatusOK)
	return err
}

// event delivers an event as Stripe does: signed, and as large as a subscription's are.
func (b *benchConn) event(n int64) error {
	o := b.c.order
	object := fmt.Sprint("sub_", n)
	if len(o.Objects) > 0 {
		object = o.Objects[int(n-1)%len(o.Objects)]
	}
	at := b.c.now().Unix()
	body := benchEventBody(fmt.Sprintf("evt_%s_%d", o.Prefix, n), object, at)
	mac := hmac.New(sha256.New, []byte(o.Secret))
	_, _ = fmt.Fprintf(mac, "%d.%s", at, body)
	request := fmt.Appendf(nil, "POST /webhooks/stripe HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nStripe-Signature: t=%d,v1=%s\r\nContent-Length: %d\r\n\r\n%s",
		o.Address, at, hex.EncodeToString(mac.Sum(nil)), len(body), body)
	_, err := b.ask(request, http.StatusOK)
	return err
}

// benchEventBytes is about how large the events of a subscription are.
const benchEventBytes = 3000

func benchEventBody(id, object string, at int64) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","api_version":"2023-10-16","created":%d,"livemode":false,"type":"customer.subscription.updated",`+
		`"data":{"object":{"id":%q,"object":"subscription","customer":"cus_bench","description":%q}}}`, id, at, object, strings.Repeat("x", benchEventBytes))
}

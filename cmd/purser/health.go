package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthCommand asks a service on this machine whether it is ready, for images that hold
// no other program.
type healthCommand struct {
	Listen listenFlags `embed:""`
}

// Run asks.
func (c *healthCommand) Run(ctx context.Context, p *program) error {
	host, port, err := net.SplitHostPort(c.Listen.Listen)
	if err != nil {
		return usage("PURSER_LISTEN must be host:port, not %q", c.Listen.Listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := "http://" + net.JoinHostPort(host, port) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usage("PURSER_LISTEN must be host:port, not %q", c.Listen.Listen)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking whether it is ready: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return fmt.Errorf("asking whether it is ready: %w", err)
	}
	text := strings.TrimSpace(string(body))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("asking whether it is ready: %s", text)
	}
	_, err = fmt.Fprintln(p.out, plain(text))
	return err
}

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A key that the command line makes opens the API of a service until it is revoked.
func TestKeysOpenTheAPI(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.now = time.Now // a key is believed for two seconds of the wall's clock
	s := c.serve("--role", "web")
	ask := func(path, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	key := decoded[keyView](c, "keys", "create", "backend", "--scopes", "read,spend")
	if !strings.HasPrefix(key.Token, key.ID+"_") || len(key.Scopes) != 2 {
		t.Fatalf("made %+v", key)
	}
	if status, body := ask("/v1/users", key.Token); status != http.StatusOK {
		t.Errorf("with the key: %d %s", status, body)
	}
	if status, _ := ask("/v1/users", key.Token+"x"); status != http.StatusUnauthorized {
		t.Errorf("with another secret: %d", status)
	}
	if status, body := ask("/healthz", ""); status != http.StatusOK || body != "ok\n" {
		t.Errorf("the service's own paths: %d %s", status, body)
	}
	if out := c.ok("keys", "list"); strings.Contains(out, key.Token) || !strings.Contains(out, key.ID) || strings.Contains(out, "never") {
		t.Errorf("the list:\n%s", out)
	}
	c.ok("keys", "revoke", key.ID)
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, _ := ask("/v1/users", key.Token)
		if status == http.StatusUnauthorized {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("revoked, and still %d", status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.fails(exitFailed, []string{"no API key"}, "keys", "revoke", "pk_none")
	c.fails(exitFailed, []string{"none of spend, read, manage, operate"}, "keys", "create", "x", "--scopes", "all")
}

func TestAPISettings(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.fails(exitUsage, []string{"PURSER_API_RATE"}, "serve", "--api-rate", "0")
	c.with("PURSER_ACCEPT_URL", "https://app.example.com/join").fails(exitUsage, []string{"PURSER_ACCEPT_URL", "{token}"}, "serve")
}

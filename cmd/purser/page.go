package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"purser/web"
	"purser/worker"
)

// pageFlags say where the hosted page is and how it shows the product.
type pageFlags struct {
	URL    string `name:"page-url" env:"PURSER_PAGE_URL" placeholder:"URL" help:"The public address of the service, as https://credits.example.com; the hosted page is at /page there. Without it there is a page on this machine only, and none if the service listens beyond it."`
	Name   string `name:"page-name" env:"PURSER_PAGE_NAME" placeholder:"NAME" help:"Your product's name, as the hosted page shows it. Default: purser."`
	Logo   string `name:"page-logo" env:"PURSER_PAGE_LOGO" placeholder:"URL" help:"The address of your product's logo, for the hosted page: a square image."`
	Colour string `name:"page-colour" env:"PURSER_PAGE_COLOUR" placeholder:"#RRGGBB" help:"Your product's colour, for the hosted page. It is made darker or lighter where it couldn't be read."`
	Words  string `name:"page-words" env:"PURSER_PAGE_WORDS" placeholder:"FILE" help:"A JSON file with words of yours for the hosted page: keys of web/text/en.json with other texts."`
}

// check gives what is wrong.
func (f pageFlags) check() []string {
	var wrong []string
	if f.URL != "" {
		if err := web.CheckURL(f.URL); err != nil {
			wrong = append(wrong, fmt.Sprintf("set PURSER_PAGE_URL to the service's public address: %v", err))
		}
	}
	if u, err := url.Parse(f.Logo); f.Logo != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		wrong = append(wrong, fmt.Sprintf("set PURSER_PAGE_LOGO to the address of an image, not %q", f.Logo))
	}
	if f.Colour != "" {
		if err := web.CheckColour(f.Colour); err != nil {
			wrong = append(wrong, fmt.Sprintf("set PURSER_PAGE_COLOUR to a colour: %v", err))
		}
	}
	if _, err := f.words(); err != nil {
		wrong = append(wrong, fmt.Sprintf("set PURSER_PAGE_WORDS to a JSON file of texts: %v", err))
	}
	return wrong
}

func (f pageFlags) words() (map[string]string, error) {
	if f.Words == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(f.Words)
	if err != nil {
		return nil, err
	}
	var words map[string]string
	if err := json.Unmarshal(raw, &words); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Words, err)
	}
	return words, nil
}

// at is the page's address; "" if there is none. Without a public address only who sits at
// this machine may have one.
func (f pageFlags) at(listen net.Addr) string {
	if f.URL != "" {
		return f.URL
	}
	if tcp, ok := listen.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return "http://" + tcp.String()
	}
	return ""
}

// openPage makes the hosted page of this service, if it has an address.
func (s *service) openPage() error {
	address := s.cfg.Page.at(s.listen.Addr())
	if address == "" {
		return nil
	}
	stage, err := worker.NewStager(s.cfg.Pool, s.cfg.Logger)
	if err != nil {
		return err
	}
	words, err := s.cfg.Page.words()
	if err != nil {
		return err
	}
	s.page, err = web.New(web.Config{
		Pool: s.cfg.Pool, Catalog: s.cfg.Catalog, Stripe: s.cfg.Stripe, StageTopUps: stage.TopUps, NewID: newID, Now: s.cfg.Now, Wall: s.cfg.Wall,
		Logger: s.cfg.Logger, URL: address, StripeAt: s.cfg.StripeAt, AcceptURL: s.cfg.API.AcceptURL,
		Brand: web.Brand{Name: s.cfg.Page.Name, Logo: s.cfg.Page.Logo, Colour: s.cfg.Page.Colour, Words: words},
	})
	return err
}

// ofPage tells whether a path is the page's.
func ofPage(path string) bool { return path == web.Root || strings.HasPrefix(path, web.Root+"/") }

// servePage answers with the page; where there is none, as the API answers unknown paths.
func (s *service) servePage(w http.ResponseWriter, r *http.Request) {
	if s.page == nil {
		s.api.ServeHTTP(w, r)
		return
	}
	s.page.ServeHTTP(w, r)
}

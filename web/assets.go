package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
)

//go:embed assets/*
var assetFiles embed.FS

// asset is a file that pages refer to. Its path has its hash in it, so that a browser may
// keep it for ever.
type asset struct {
	path    string
	kind    string
	content []byte
}

// readAssets reads all of them, the style sheet with the product's colour.
func readAssets(colour string) (map[string]asset, error) {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("reading the assets: %w", err)
	}
	assets := map[string]asset{}
	for _, f := range files {
		content, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the assets: %w", err)
		}
		if f.Name() == "page.css" {
			accents, err := accentCSS(colour)
			if err != nil {
				return nil, err
			}
			content = append(content, accents...)
		}
		sum := sha256.Sum256(content)
		assets[f.Name()] = asset{Root + "/assets/" + hex.EncodeToString(sum[:6]) + "/" + f.Name(), mime.TypeByExtension(path.Ext(f.Name())), content}
	}
	return assets, nil
}

// assetPath is where an asset is found.
func (s *Server) assetPath(name string) (string, error) {
	a, ok := s.assets[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return a.path, nil
}

func (s *Server) registerAssets() {
	for _, a := range s.assets {
		s.mux.HandleFunc("GET "+a.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Header().Set("Content-Type", a.kind)
			_, _ = w.Write(a.content)
		})
	}
}

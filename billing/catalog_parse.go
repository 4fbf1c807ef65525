package billing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// catalogBytesMax bounds a catalogue. A thousand plans need a tenth of it.
const catalogBytesMax = 1 << 20

// LoadCatalog reads and checks the catalogue at path.
func LoadCatalog(path string) (*Catalog, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening catalogue: %w", err)
	}
	defer file.Close()
	src, err := io.ReadAll(io.LimitReader(file, catalogBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("reading catalogue: %w", err)
	}
	return ParseCatalog(path, src)
}

// ParseCatalog checks a whole catalogue and reports every broken rule, not the
// first alone: the error joins one *CatalogError for each (see CatalogErrors).
// Only text that isn't YAML at all ends the check early. The file's name serves
// the messages. With an error there is no catalogue, not a part of one.
func ParseCatalog(file string, src []byte) (*Catalog, error) {
	r := newCatalogReader(file)
	if root := r.document(src); root != nil {
		r.plainYAML(root)
		catalog := r.catalog(root)
		if len(r.errors) == 0 {
			catalog.Hash = catalogHash(catalog)
			return catalog, nil
		}
	}
	return nil, joinCatalogErrors(r.errors)
}

// document is the one YAML document of src, or nil after an error.
func (r *catalogReader) document(src []byte) *yaml.Node {
	if !r.readable(src) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		r.failAt(1, 1, "", CatalogRuleEmpty, "the catalogue is empty; it needs plans or packs")
		return nil
	}
	if err == nil {
		err = decoder.Decode(&second)
	}
	switch {
	case err == nil:
		r.fail(&second, "", CatalogRuleOneDocument, "a second YAML document begins here; a catalogue is one")
		return nil
	case !errors.Is(err, io.EOF):
		line, message := catalogSyntaxError(src, err)
		r.failAt(line, 0, "", CatalogRuleSyntax, message)
		return nil
	}
	return document.Content[0]
}

// readable refuses what the YAML parser would refuse without naming a line.
func (r *catalogReader) readable(src []byte) bool {
	if len(src) > catalogBytesMax {
		r.failAt(1, 0, "", CatalogRuleSize, fmt.Sprintf("the file is larger than %d bytes", catalogBytesMax))
		return false
	}
	line, column := 1, 1
	for rest := src; len(rest) > 0; {
		char, size := utf8.DecodeRune(rest)
		switch {
		case char == utf8.RuneError && size == 1:
			r.failAt(line, column, "", CatalogRuleEncoding, "the file isn't UTF-8: it can't be read from here on")
			return false
		case catalogControl(char):
			r.failAt(line, column, "", CatalogRuleEncoding, fmt.Sprintf("the control character U+%04X doesn't belong in text", char))
			return false
		case char == '\n':
			line, column = line+1, 0
		}
		column++
		rest = rest[size:]
	}
	return true
}

// catalogControl tells the characters that YAML forbids from line ends and tabs.
func catalogControl(char rune) bool {
	switch char {
	case '\t', '\n', '\r', 0x85:
		return false
	}
	return char < 0x20 || char >= 0x7f && char < 0xa0 || char == 0xfffe || char == 0xffff
}

var catalogYAMLError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// catalogSyntaxError finds the line of a syntax error. The parser names the
// beginning of the block around it, often one line off; so the line is the one
// at which the error first appears when the text is cut after it.
func catalogSyntaxError(src []byte, err error) (int, string) {
	message := catalogYAMLError.ReplaceAllString(err.Error(), "")
	lines := bytes.SplitAfter(src, []byte("\n"))
	ends := make([]int, len(lines))
	for i, end := 0, 0; i < len(lines); i++ {
		end += len(lines[i])
		ends[i] = end
	}
	first := sort.Search(len(lines)-1, func(i int) bool {
		found := catalogSyntax(src[:ends[i]])
		return found != nil && catalogYAMLError.ReplaceAllString(found.Error(), "") == message
	})
	return first + 1, "this isn't YAML: " + message
}

// catalogSyntax parses all documents of src and keeps none.
func catalogSyntax(src []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// catalogHash names the content of a catalogue, defaults included.
func catalogHash(c *Catalog) string {
	content, err := json.Marshal(struct {
		Plans               []Plan
		Packs               []Pack
		WithoutSubscription WithoutSubscription
	}{c.Plans, c.Packs, c.WithoutSubscription})
	if err != nil {
		panic(fmt.Sprintf("billing: a catalogue of plain values can't be encoded: %v", err))
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

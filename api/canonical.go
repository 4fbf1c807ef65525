package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// depthMax bounds how deep a body may be nested.
const depthMax = 32

// errText says that a text holds what no database column can.
var errText = errors.New("texts must be UTF-8 without the character U+0000, and numbers within the range of a double")

// canonical gives a body in one form for all ways of writing it: keys sorted, no blanks.
// Two requests that mean the same have the same hash (L6).
func canonical(body []byte) ([]byte, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) {
		return nil, errText
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("the body isn't one JSON value")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	if err := storable(v, depthMax); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// storable refuses what JSON allows and PostgreSQL doesn't.
func storable(v any, depth int) error {
	if depth == 0 {
		return errors.New("the body is nested too deep")
	}
	switch v := v.(type) {
	case string:
		return storableText(v)
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		mantissa, _, _ := strings.Cut(strings.ToLower(string(v)), "e")
		if err != nil || f == 0 && strings.ContainsAny(mantissa, "123456789") {
			return errText
		}
	case []any:
		for _, one := range v {
			if err := storable(one, depth-1); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, one := range v {
			if err := errors.Join(storableText(name), storable(one, depth-1)); err != nil {
				return err
			}
		}
	}
	return nil
}

func storableText(s string) error {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return errText
	}
	return nil
}

// hashOf is what a repeated key is compared by: operation, path, canonical body, acting
// user.
func hashOf(operation, path string, body []byte, user string) []byte {
	h := sha256.New()
	for _, part := range []string{operation, path, user, string(body)} {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// encode writes an answer as it is sent and remembered.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

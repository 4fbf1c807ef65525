package api

import (
	"encoding/base64"
	"strings"
)

// Paging chooses a page of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"2000" doc:"next of the page before, with the same filters"`
}

// Page is a page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
}

// after reads a cursor: the last id of the page before, of this list.
func (p Paging) after(list string) (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	last, ok := strings.CutPrefix(string(raw), list+"\n")
	if err != nil || !ok || storableText(last) != nil {
		return "", problem("cursor_invalid", "")
	}
	return last, nil
}

// page makes a page of rows, of which there is one more than asked for if more follow.
func page[A, B any](list string, p Paging, rows []A, id func(A) string, view func(A) B) Page[B] {
	out := Page[B]{}
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		out.Next = base64.RawURLEncoding.EncodeToString([]byte(list + "\n" + id(rows[len(rows)-1])))
	}
	out.Items = mapped(rows, view)
	return out
}

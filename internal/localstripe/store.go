package localstripe

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// entity is anything that has an id and can be written as Stripe writes it.
type entity interface {
	identity() string
	createdAt() int64
	render(s *Server) obj
}

// table keeps one kind of object in the order in which it came to be.
type table[T entity] struct {
	byID  map[string]T
	order []T
}

func (t *table[T]) add(v T) {
	if t.byID == nil {
		t.byID = map[string]T{}
	}
	t.byID[v.identity()] = v
	t.order = append(t.order, v)
}

func (t *table[T]) get(id string) (T, bool) {
	v, ok := t.byID[id]
	return v, ok
}

func (t *table[T]) find(id string) (entity, bool) {
	v, ok := t.byID[id]
	return v, ok
}

// where gives the objects that match, oldest first.
func (t *table[T]) where(keep func(T) bool) []T {
	var found []T
	for _, v := range t.order {
		if keep(v) {
			found = append(found, v)
		}
	}
	return found
}

// id is deterministic: the seed and a counter through SHA-256, in Stripe's alphabet.
func (s *Server) id(prefix string) string { return prefix + "_" + s.token(24) }

func (s *Server) token(length int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	token := make([]byte, 0, length)
	for len(token) < length {
		s.counter++
		var in [16]byte
		binary.BigEndian.PutUint64(in[:8], s.seed)
		binary.BigEndian.PutUint64(in[8:], s.counter)
		for _, b := range sha256.Sum256(in[:]) {
			if b < 248 && len(token) < length { // 248 = 4 × 62, so that every letter is equally likely
				token = append(token, alphabet[b%62])
			}
		}
	}
	return string(token)
}

// find looks an id up in every table.
func (s *Server) find(id string) (entity, bool) {
	for _, t := range s.tables() {
		if v, ok := t.find(id); ok {
			return v, true
		}
	}
	return nil, false
}

// remove takes an object out for good; only drafts are ever removed.
func (t *table[T]) remove(id string) {
	delete(t.byID, id)
	t.order = slices.DeleteFunc(t.order, func(v T) bool { return v.identity() == id })
}

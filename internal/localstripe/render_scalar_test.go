package localstripe

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// What is written by hand is what encoding/json would write.
func TestWriteScalar(t *testing.T) {
	t.Parallel()
	values := []any{nil, true, false, int64(0), int64(math.MinInt64), int64(math.MaxInt64), 0.5, "", "plain", "sub_1/é", "<a href=\"x\">&</a>", `back\slash`, "\x7f", "\u2028"}
	for c := range rune(256) {
		values = append(values, "a"+string(c)+"b", string([]byte{byte(c)}))
	}
	for _, v := range values {
		var by bytes.Buffer
		writeScalar(&by, v)
		var want strings.Builder
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if by.String()+"\n" != want.String() {
			t.Errorf("%#v is written as %s and should be %s", v, by.String(), want.String())
		}
	}
}

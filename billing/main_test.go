package billing_test

import (
	"testing"

	"purser/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

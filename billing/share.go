package billing

import (
	"math"
	"math/bits"
	"time"
)

// part is x × num ÷ den in whole numbers, rounded down or up, without overflow. num
// and den are lengths of time; a part is never more than the whole.
func part(x int64, num, den time.Duration, up bool) int64 {
	return fraction(x, int64(num), int64(den), up)
}

// fraction is part for counts and for money.
func fraction(x, num, den int64, up bool) int64 {
	if x <= 0 || num <= 0 || den <= 0 {
		return 0
	}
	if num >= den {
		return x
	}
	hi, lo := bits.Mul64(uint64(x), uint64(num))
	quotient, rest := bits.Div64(hi, lo, uint64(den))
	if up && rest > 0 {
		quotient++
	}
	return int64(quotient)
}

// percentOf is n percent of x, rounded down.
func percentOf(x int64, n int) int64 {
	if x <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(x), uint64(n))
	quotient, _ := bits.Div64(hi, lo, 100)
	return int64(min(quotient, math.MaxInt64))
}

// times multiplies two counts and stops at the most credits that may move at once: a
// quantity of absurd size must not crash anything nor wrap around.
func times(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > CreditsMax/b {
		return CreditsMax
	}
	return a * b
}

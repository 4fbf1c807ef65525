package localstripe

import "math/big"

// amount is what a quantity costs in minor units, exactly.
func (p *price) amount(quantity int64) *big.Rat {
	if p.divideBy > 0 {
		divided, rest := quantity/p.divideBy, quantity%p.divideBy
		if rest > 0 && p.round == "up" {
			divided++
		}
		quantity = divided
	}
	switch p.tiersMode {
	case "volume":
		return volume(p.tiers, quantity)
	case "graduated":
		return graduated(p.tiers, quantity)
	}
	return new(big.Rat).Mul(rat(p.unit), big.NewRat(quantity, 1))
}

// volume charges all units at the price of the tier that the whole quantity falls into.
func volume(tiers []tier, quantity int64) *big.Rat {
	for _, t := range tiers {
		if t.upTo == 0 || quantity <= t.upTo {
			return t.cost(quantity)
		}
	}
	return new(big.Rat)
}

// graduated charges the units of each tier at that tier's price.
func graduated(tiers []tier, quantity int64) *big.Rat {
	sum, below := new(big.Rat), int64(0)
	for _, t := range tiers {
		inTier := quantity - below
		if t.upTo != 0 {
			inTier = min(quantity, t.upTo) - below
		}
		sum.Add(sum, t.cost(inTier))
		if t.upTo == 0 || quantity <= t.upTo {
			break
		}
		below = t.upTo
	}
	return sum
}

func (t tier) cost(quantity int64) *big.Rat {
	cost := new(big.Rat).Mul(rat(t.unit), big.NewRat(quantity, 1))
	return cost.Add(cost, rat(t.flat))
}

func rat(decimal string) *big.Rat {
	r, ok := new(big.Rat).SetString(decimal)
	if !ok {
		return new(big.Rat) // an absent amount is nothing
	}
	return r
}

// cents rounds to whole minor units, a half away from zero.
func cents(r *big.Rat) int64 {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	denominator := r.Denom()
	if r.Sign() < 0 {
		twice.Sub(twice, denominator)
	} else {
		twice.Add(twice, denominator)
	}
	return twice.Quo(twice, new(big.Int).Mul(denominator, big.NewInt(2))).Int64()
}

// share is the part of an amount that a stretch of a whole takes, in cents.
func share(amount *big.Rat, part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return cents(new(big.Rat).Mul(amount, big.NewRat(part, whole)))
}

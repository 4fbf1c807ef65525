package web

// chart is days drawn as columns.
type chart struct {
	Columns []column
	Lines   []gridLine
	Width   int64
	Height  int64
}

// column is one day.
type column struct {
	X, Y, Width, Height int64
	Label               string // under it; "": none
	LabelX              int64
}

// gridLine is a line across, at a round number of credits.
type gridLine struct {
	Y     int64
	Label string
}

// Where things are in a chart, in the units that it is drawn in.
const (
	chartWidth  = 720
	chartLeft   = 56
	chartTop    = 10
	chartFloor  = 180
	chartHeight = 204
	labelsMax   = 8
)

// chartOf draws days.
func (v *visit) chartOf(days []dayUsed) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	var most int64
	for _, d := range days {
		most = max(most, d.Used())
	}
	step := roundStep(most)
	top := max(step, (most+step-1)/step*step)
	height := func(n int64) int64 {
		return int64(float64(max(0, n)) / float64(top) * (chartFloor - chartTop))
	}
	for at := int64(0); at <= top; at += step {
		c.Lines = append(c.Lines, gridLine{chartFloor - height(at), v.N(at)})
		if at > top-step {
			break // at + step could overflow
		}
	}
	count := int64(len(days))
	if count == 0 {
		return c
	}
	every := (len(days) + labelsMax - 1) / labelsMax
	for i, d := range days {
		from := chartLeft + int64(i)*(chartWidth-chartLeft)/count
		until := chartLeft + int64(i+1)*(chartWidth-chartLeft)/count
		gap := min(4, (until-from)/4)
		col := column{X: from, Y: chartFloor - height(d.Used()), Width: max(1, until-from-gap), Height: height(d.Used())}
		if i%every == 0 {
			col.Label, col.LabelX = v.shortDay(d), from
		}
		c.Columns = append(c.Columns, col)
	}
	return c
}

// roundStep is a round number of which two to five make up the most.
func roundStep(most int64) int64 {
	step := int64(1)
	for most/step > 50 {
		step *= 10
	}
	for _, times := range []int64{1, 2, 5, 10} {
		if most <= step*times*5 {
			return step * times
		}
	}
	return step * 10
}

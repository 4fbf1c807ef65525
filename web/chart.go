package web

import "unicode/utf8"

// chart is days drawn as columns.
type chart struct {
	Columns []column
	Lines   []gridLine
	Left    int64 // where the columns begin, right of the labels
	Width   int64
	Height  int64
}

// LabelsEnd is where the labels of the lines end.
func (c chart) LabelsEnd() int64 { return c.Left - 10 }

// LinesStart is where the lines begin.
func (c chart) LinesStart() int64 { return c.Left - 4 }

// column is one day: what was spent stands on the line, and what was given back hangs under
// it, each on the day on which it happened.
type column struct {
	X, Width        int64
	Spent, Reversed stretch
	Label           string // under it; "": none
	LabelX          int64
}

// stretch is from where down a column is drawn, and how far.
type stretch struct{ Y, Height int64 }

// gridLine is a line across, at a round number of credits.
type gridLine struct {
	Y     int64
	Label string
	Zero  bool
}

// Where things are in a chart, in the units that it is drawn in.
const (
	chartWidth  = 720
	chartLeft   = 56 // at least
	digitWidth  = 7
	chartTop    = 10
	chartFloor  = 180
	chartHeight = 204
	labelsMax   = 8
)

// chartOf draws days.
func (v *visit) chartOf(days []dayUsed) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	var most, least int64
	for _, d := range days {
		most, least = max(most, d.Spent), max(least, d.Reversed)
	}
	step := roundStep(max(most, least))
	top, bottom := max(step, roundUp(most, step)), roundUp(least, step)
	height := func(n int64) int64 {
		return int64(float64(n) / (float64(top) + float64(bottom)) * (chartFloor - chartTop))
	}
	line := int64(chartTop) + height(top)
	for n := -(bottom / step); n <= top/step; n++ {
		c.Lines = append(c.Lines, gridLine{line - height(n*step), v.N(n * step), n == 0})
	}
	c.Left = chartLeft
	for _, l := range c.Lines {
		c.Left = max(c.Left, int64(utf8.RuneCountInString(l.Label))*digitWidth+12)
	}
	count := int64(len(days))
	every := (len(days) + labelsMax - 1) / labelsMax
	for i, d := range days {
		from := c.Left + int64(i)*(chartWidth-c.Left)/count
		until := c.Left + int64(i+1)*(chartWidth-c.Left)/count
		gap := min(4, (until-from)/4)
		col := column{X: from, Width: max(1, until-from-gap), Spent: stretch{line - height(d.Spent), height(d.Spent)}, Reversed: stretch{line, height(d.Reversed)}}
		if i%every == 0 {
			col.Label, col.LabelX = v.shortDay(d), from
		}
		c.Columns = append(c.Columns, col)
	}
	return c
}

// roundUp is the least multiple of a step that has room for n.
func roundUp(n, step int64) int64 {
	if n%step == 0 {
		return n
	}
	return n - n%step + step
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

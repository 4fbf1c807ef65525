package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// ours is the colour of a page whose product names none.
const ours = "#3457d5"

// Grounds on which the colour stands, as in page.css.
var (
	lightGround = rgb{255, 255, 255}
	darkGround  = rgb{28, 31, 38}
)

// contrastMin is what WCAG 2.2 AA asks of text.
const contrastMin = 4.5

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// CheckColour tells whether it is a colour that the page can use.
func CheckColour(text string) error {
	if !hexColour.MatchString(text) {
		return fmt.Errorf("%q is not a colour such as %s", text, ours)
	}
	return nil
}

type rgb [3]float64

func parseColour(text string) (c rgb) {
	for i := range c {
		n, _ := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
		c[i] = float64(n)
	}
	return c
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", uint8(math.Round(c[0])), uint8(math.Round(c[1])), uint8(math.Round(c[2])))
}

// luminance is the relative luminance of WCAG.
func (c rgb) luminance() float64 {
	weights := rgb{0.2126, 0.7152, 0.0722}
	sum := 0.0
	for i, v := range c {
		v /= 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += v * weights[i]
	}
	return sum
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// legible moves a colour towards black or white until it can be read on the ground.
func (c rgb) legible(ground rgb) rgb {
	to := rgb{}
	if ground.luminance() < 0.2 {
		to = rgb{255, 255, 255}
	}
	for step := 0.0; step <= 1; step += 0.02 {
		moved := rgb{}
		for i := range c {
			moved[i] = math.Round(c[i] + (to[i]-c[i])*step)
		}
		if contrast(moved, ground) >= contrastMin+0.3 { // some room, for what isn't quite the ground
			return moved
		}
	}
	return to
}

// onIt is black or white, whichever can be read on the colour.
func (c rgb) onIt() rgb {
	white := rgb{255, 255, 255}
	if contrast(c, white) >= contrastMin {
		return white
	}
	return rgb{17, 17, 17}
}

// accentCSS is the product's colour for both schemes, so that it can be read in each.
func accentCSS(colour string) ([]byte, error) {
	if colour == "" {
		colour = ours
	}
	if err := CheckColour(colour); err != nil {
		return nil, err
	}
	c := parseColour(colour)
	light, dark := c.legible(lightGround), c.legible(darkGround)
	const scheme = ":root{--accent:%s;--on-accent:%s}"
	return fmt.Appendf(nil, scheme+"@media(prefers-color-scheme:dark){"+scheme+"}\n", light, light.onIt(), dark, dark.onIt()), nil
}

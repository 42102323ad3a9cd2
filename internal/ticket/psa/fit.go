package psa

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

const ellipsis = "…"

// Fit cuts a text to at most limit characters, ending in "…" if something was
// cut off. It cuts between characters as people see them, never inside an
// emoji or an accent. Length counts UTF-16 units: Autotask and ConnectWise
// store those, and a count of code points is never larger. Control characters
// other than tab and line feed are dropped, and invalid UTF-8 is replaced:
// databases refuse both.
func Fit(text string, limit int) string {
	text = clean(text)
	if units(text) <= limit {
		return text
	}
	if limit < 1 {
		return ""
	}
	return strings.TrimRightFunc(prefix(text, limit-1), unicode.IsSpace) + ellipsis
}

// FitLine is Fit for a title: one line, spaces collapsed.
func FitLine(text string, limit int) string {
	return Fit(strings.Join(strings.Fields(clean(text)), " "), limit)
}

// FitWithTail cuts a text so that the tail, such as a marker, follows it whole
// in a paragraph of its own. A tail that alone exceeds the limit is cut.
func FitWithTail(text, tail string, limit int) string {
	const gap = "\n\n"
	room := limit - units(tail) - len(gap)
	if room < 1 || strings.TrimSpace(clean(text)) == "" {
		return Fit(tail, limit)
	}
	return Fit(text, room) + gap + tail
}

// prefix returns the longest run of whole characters that fits. A first
// character longer than the limit, such as one letter under a thousand
// accents, is cut between code points.
func prefix(text string, limit int) string {
	cut, used := 0, 0
	for rest, state := text, -1; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		n := units(cluster)
		if used+n > limit {
			break
		}
		cut, used = cut+len(cluster), used+n
	}
	if cut > 0 {
		return text[:cut]
	}
	for i, r := range text {
		if used += utf16.RuneLen(r); used > limit {
			return text[:i]
		}
	}
	return text
}

func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\r' {
			return '\n'
		}
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

package gdmf

import (
	"cmp"
	"strconv"
	"strings"
)

// CompareVersions orders versions such as 18.2.1 by their numbers; a part that
// is missing counts as 0, one that is no number as text.
func CompareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if order := compareParts(x, y); order != 0 {
			return order
		}
	}
	return 0
}

func compareParts(x, y string) int {
	m, errX := strconv.ParseUint(cmp.Or(x, "0"), 10, 64)
	n, errY := strconv.ParseUint(cmp.Or(y, "0"), 10, 64)
	if errX != nil || errY != nil {
		return strings.Compare(x, y)
	}
	return cmp.Compare(m, n)
}

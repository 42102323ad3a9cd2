package database

import (
	"iter"
	"math/bits"
)

// mostInPart keeps the statement for a part short enough to be prepared.
const mostInPart = 64

// Parts parts rows that are to be written, in their order, so that the statements
// for any number of rows are of few texts: the length of each part is a power of
// two. A text for each number would rarely be one that a connection has prepared.
func Parts[T any](rows []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(rows) > 0 {
			n := min(1<<(bits.Len(uint(len(rows)))-1), mostInPart)
			if !yield(rows[:n:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

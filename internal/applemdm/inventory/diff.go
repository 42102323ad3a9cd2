package inventory

import (
	"strings"
)

// replacement is a list of a device's that takes the place of the stored one.
// Rows that are unchanged stay untouched; an entry that occurs several times
// is stored as often.
type replacement[Row any, Entry comparable] struct {
	stored []Row
	now    []Entry
	entry  func(Row) Entry // what a row holds
	id     func(Row) string
	remove func(ids []string) error
	add    func([]Entry) error
}

func (r replacement[Row, Entry]) run() error {
	left := make(map[Entry]int, len(r.now))
	for _, e := range r.now {
		left[e]++
	}
	var gone []string
	for _, row := range r.stored {
		if e := r.entry(row); left[e] > 0 {
			left[e]--
		} else {
			gone = append(gone, r.id(row))
		}
	}
	var added []Entry
	for _, e := range r.now {
		if left[e] > 0 {
			left[e]--
			added = append(added, e)
		}
	}
	if err := batches(gone, r.remove); err != nil {
		return err
	}
	return batches(added, r.add)
}

// creates builds the rows of a bulk insertion.
func creates[Entry, Create any](entries []Entry, create func(Entry) Create) []Create {
	rows := make([]Create, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, create(e))
	}
	return rows
}

// maxRows bounds how many rows one statement inserts or deletes: both engines
// bound the number of its values.
const maxRows = 500

// batches calls a function for up to maxRows entries at a time.
func batches[T any](list []T, do func([]T) error) error {
	for len(list) > 0 {
		n := min(len(list), maxRows)
		if err := do(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// fit cuts a text to a column's length in bytes.
func fit(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}

// The lengths of columns.
const (
	long  = 255
	short = 64
)

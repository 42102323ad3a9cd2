package database_test

import (
	"slices"
	"testing"

	"github.com/bailiwick/bailiwick/internal/database"
)

func TestParts(t *testing.T) {
	lengths := map[int]bool{}
	for n := range 200 {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		var whole []int
		for part := range database.Parts(rows) {
			lengths[len(part)] = true
			whole = append(whole, part...)
		}
		if !slices.Equal(whole, rows) {
			t.Fatalf("%d: %v", n, whole)
		}
	}
	if len(lengths) != 7 || lengths[0] {
		t.Errorf("lengths %v", lengths)
	}
}

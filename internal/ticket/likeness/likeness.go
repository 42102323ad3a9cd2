// Package likeness says how alike the names of two companies are.
package likeness

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// forms are words that say what a company is in law, or join its name, and
// tell no company from another.
var forms = func() map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(`ab ag and as asa aps bv co company corp corporation cv eg ek eurl ev gbr gmbh group holding
		holdings inc incorporated international kft kg kgaa limited llc llp lp ltd nv og ohg oy oyj plc pte pty sa sarl sas se sl
		sp spa sro srl the und`) {
		set[word] = true
	}
	return set
}()

// Name is a company's name, made ready to be compared.
type Name struct {
	tokens []string // sorted, each once
	pairs  []string // two letters each, over the tokens as they were, sorted
}

// Of reads a name: without case, accents, punctuation and legal form. Dots
// within a word are dropped, so that S.A. is SA.
func Of(name string) Name {
	words := split(name)
	telling := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return forms[w] })
	if len(telling) == 0 {
		telling = words // "The Company Ltd." has nothing else
	}
	var n Name
	joined := []rune(strings.Join(telling, ""))
	for i := range max(len(joined)-1, 0) {
		n.pairs = append(n.pairs, string(joined[i:i+2]))
	}
	if len(joined) == 1 {
		n.pairs = []string{string(joined)}
	}
	slices.Sort(n.pairs)
	slices.Sort(telling)
	n.tokens = slices.Compact(telling)
	return n
}

func split(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r):
			word.WriteRune(r)
		case unicode.Is(unicode.Mn, r), r == '.', r == '\'', r == '’':
		default:
			end()
		}
	}
	end()
	return words
}

// Score is how alike two names are, from 0 to 1: half by the words that they
// share, half by their pairs of letters, which a different spelling leaves. It
// is the same in both directions, and 1 for a name and itself unless it holds
// no letter or digit.
func (n Name) Score(other Name) float64 {
	return (dice(n.tokens, other.tokens) + dice(n.pairs, other.pairs)) / 2
}

// dice is Dice's coefficient of two sorted lists, which may repeat.
func dice(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			shared, i, j = shared+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return 2 * float64(shared) / float64(len(a)+len(b))
}

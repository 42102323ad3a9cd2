package pushcert

import (
	"encoding/asn1"
	"errors"
	"math"
)

// The most work that a file may ask for to turn a passphrase into a key.
// OpenSSL asks for 2,048 rounds, careful people for a million.
const (
	maxRounds = 2_000_000
	maxScrypt = 1 << 20 // N × r × p; memory is 128 times that in bytes
	maxDepth  = 24
)

var errWork = errors.New("pushcert: the key derivation asks for too much work")

// checkWork refuses a file whose key derivation would keep the server busy, or
// fill its memory: the libraries do as the file says. Every derivation that
// PKCS#8 and PKCS#12 know keeps its parameters in a sequence in which the
// octets of the salt are followed by numbers: the rounds and perhaps the length
// of the key, or scrypt's N, r and p. What a PKCS#12 file hides within an
// encrypted part is not seen; uploads come from administrators alone.
func checkWork(der []byte) error { return walkWork(der, 0) }

func walkWork(der []byte, depth int) error {
	if depth > maxDepth {
		return errWork
	}
	salted := false
	var costs []int64
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return nil //nolint:nilerr // octets that are no ASN.1 ask for nothing
		}
		universal := v.Class == asn1.ClassUniversal
		switch {
		case universal && v.Tag == asn1.TagOctetString && !v.IsCompound:
			salted = true
			if err := walkWork(v.Bytes, depth+1); err != nil {
				return err
			}
		case universal && v.Tag == asn1.TagInteger:
			if salted {
				costs = append(costs, number(v.FullBytes))
			}
		case v.IsCompound:
			if err := walkWork(v.Bytes, depth+1); err != nil {
				return err
			}
		}
		der = rest
	}
	return judge(costs)
}

// judge takes the numbers after a salt: at most two for PBKDF2 and PKCS#12's
// own derivation, three or more for scrypt.
func judge(costs []int64) error {
	const scrypt = 3
	limit, counted := int64(maxRounds), costs
	if len(costs) >= scrypt {
		limit, counted = maxScrypt, costs[:scrypt]
	} else if len(costs) > 0 {
		counted = costs[:1]
	}
	product := int64(1)
	for _, c := range counted {
		if c < 0 || c > limit || product*c > limit {
			return errWork
		}
		product *= c
	}
	return nil
}

func number(der []byte) int64 {
	var n int64
	if _, err := asn1.Unmarshal(der, &n); err != nil {
		return math.MaxInt64
	}
	return n
}

package psa

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
)

// MarkerPrefix begins every ticket marker; a scan for duplicates looks for it.
const MarkerPrefix = "bw:"

// NotePrefix begins every note marker. It differs from MarkerPrefix so that a
// note is never taken for the ticket's own marker.
const NotePrefix = "bwn:"

// Marker names one incident at one integration: 29 characters that fit the
// external-id field of every vendor. The epoch counts the tickets that the
// same dedupe key has had. The tenant's and the integration's ids hold no "|",
// and the epoch is a number, so different inputs never read alike.
func Marker(tenant, integration, dedupeKey string, epoch int) string {
	return MarkerPrefix + digest(tenant+"|"+integration+"|"+dedupeKey+"|"+strconv.Itoa(epoch), 26)
}

// NoteMarker names one event of a ticket, such as an occurrence's id: 20
// characters, short enough to end a note with.
func NoteMarker(ticketMarker, event string) string {
	return NotePrefix + digest(ticketMarker+"|"+event, 16)
}

func digest(s string, length int) string {
	sum := sha256.Sum256([]byte(s))
	return base32.StdEncoding.EncodeToString(sum[:])[:length]
}

package demo

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bailiwick/bailiwick/internal/secret"
)

// passwords derives the demo's secrets from the master key of its data
// directory, so that they can be shown again and are stored nowhere.
type passwords struct{ key []byte }

// readPasswords makes the master key if it is missing, where the server would.
func readPasswords(dir string) (passwords, error) {
	path := filepath.Join(dir, "master.key")
	if _, _, err := secret.ReadOrCreateMasterKey(path); err != nil {
		return passwords{}, err
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return passwords{}, fmt.Errorf("read the demo's master key: %w", err)
	}
	return passwords{bytes.TrimSpace(key)}, nil
}

// of is the password of an administrator: 100 bits, in groups of four.
func (p passwords) of(email string) (string, error) {
	text, err := p.derive("password of " + email)
	if err != nil {
		return "", err
	}
	var groups []string
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, "-"), nil
}

// psaToken is the API token of the stand-in's account.
func (p passwords) psaToken() (string, error) { return p.derive("token of the PSA") }

func (p passwords) derive(purpose string) (string, error) {
	raw, err := hkdf.Key(sha256.New, p.key, nil, "bailiwick demo: "+purpose, 15)
	if err != nil {
		return "", fmt.Errorf("derive the %s: %w", purpose, err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw))[:20], nil
}

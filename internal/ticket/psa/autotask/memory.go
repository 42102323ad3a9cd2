package autotask

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Memory keeps what clients learn of their accounts and what seldom changes:
// the zone, and the picklists. Clients that share one, for the same credentials
// and deployment, spare three calls each. It is safe for concurrent use.
type Memory struct {
	accounts *lru.Cache[[sha256.Size]byte, *known]
}

// NewMemory returns a memory of so many accounts, at least one; the least used
// are forgotten first.
func NewMemory(accounts int) (*Memory, error) {
	cache, err := lru.New[[sha256.Size]byte, *known](accounts)
	if err != nil {
		return nil, fmt.Errorf("autotask: memory of %d accounts: %w", accounts, err)
	}
	return &Memory{accounts: cache}, nil
}

// of returns what is known of an account. The secret is part of the key, so
// that a wrong one learns nothing from a right one.
func (m *Memory) of(discovery string, c Credentials) *known {
	key := sha256.Sum256([]byte(discovery + "\x00" + c.Username + "\x00" + c.Secret))
	fresh := &known{}
	if have, present, _ := m.accounts.PeekOrAdd(key, fresh); present {
		m.accounts.Get(key) // counts as use
		return have
	}
	return fresh
}

// known is what is known of one account.
type known struct {
	mu     sync.Mutex
	at     *zone
	fields map[string]fieldList // by entity
}

// fieldList is an entity's fields as they were at a time.
type fieldList struct {
	fields []field
	read   time.Time
}

func (k *known) zone() *zone {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

func (k *known) setZone(z *zone) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = z
}

// forgetZone makes the next call look the zone up, unless that has happened.
func (k *known) forgetZone(z *zone) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == z {
		k.at = nil
	}
}

func (k *known) fieldsOf(entity string) fieldList {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fields[entity]
}

func (k *known) setFields(entity string, l fieldList) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fields == nil {
		k.fields = map[string]fieldList{}
	}
	k.fields[entity] = l
}

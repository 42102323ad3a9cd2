package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bailiwick/bailiwick/internal/applemdm/simulator"
)

//go:embed northwind.json
var northwind []byte

// content is what the demo's provider looks after. It is the same at every
// start.
type content struct {
	Provider       string           `json:"provider"`
	Administrators []administrator  `json:"administrators"`
	PartnerRole    map[string]any   `json:"partnerRole"`
	Organizations  []organizationOf `json:"organizations"`
}

// administrator is somebody of the provider. The first one is the owner, who
// sets up the others; the last one is a partner's monitoring system.
type administrator struct {
	Email            string `json:"email"`
	FirstName        string `json:"firstname"`
	LastName         string `json:"lastname"`
	Role             string `json:"role"`
	AllOrganizations bool   `json:"allOrganizations"`
	Organizations    []int  `json:"organizations"` // of the content's, by position
}

type organizationOf struct {
	Name           string           `json:"name"`
	MaxSystemUsers *int             `json:"maxSystemUsers"`
	Users          []map[string]any `json:"users"` // inputs of createUser
	Devices        []device         `json:"devices"`
	Alerts         []alert          `json:"alerts"`
}

type device struct {
	Name         string `json:"name"`
	SerialNumber string `json:"serialNumber"`
	Platform     string `json:"platform"`
	Model        string `json:"model"`
	OSVersion    string `json:"osVersion"`
	User         string `json:"user"` // login, empty for nobody

	Simulated *hardware `json:"simulated"` // nil for one that is only a record
}

// hardware is what a simulated device says of itself, in Apple's words.
type hardware struct {
	Kind       simulator.Kind `json:"kind"`
	Model      string         `json:"model"`   // ModelName
	Product    string         `json:"product"` // ProductName
	Build      string         `json:"build"`   // BuildVersion
	Supervised bool           `json:"supervised"`
}

type alert struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Severity    string `json:"severity"`
	Description string `json:"description"`
	Device      string `json:"device"` // name, empty for none
	User        string `json:"user"`   // login, empty for none
}

// simulated says whether some of the devices are.
func (o organizationOf) simulated() bool {
	return slices.ContainsFunc(o.Devices, func(d device) bool { return d.Simulated != nil })
}

func readContent() (content, error) {
	var c content
	if err := json.Unmarshal(northwind, &c); err != nil {
		return content{}, fmt.Errorf("read the demo's content: %w", err)
	}
	return c, nil
}

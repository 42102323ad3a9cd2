package psa

import "context"

// CompanyQuery selects companies.
type CompanyQuery struct {
	Search  string // part of the name; empty for all
	Cursor  string // CompanyPage.Next of the page before; empty for the first
	TypeIDs []int  // of one of these types; empty for all, and ignored by a vendor without [CompanyTypes]
}

// CompanyPage is a part of a list of companies.
type CompanyPage struct {
	Companies []Company
	Next      string // the cursor of the next page; empty at the end
	Total     int    // over all pages; -1 if the vendor does not say
}

// Company is a customer of the MSP as its PSA has it.
type Company struct {
	ID     string // "0" is valid: in Autotask it is the MSP itself
	Name   string
	Active bool
}

// CompanyTypes is what a vendor offers whose companies have types: customer,
// prospect, supplier. Autotask and ConnectWise do.
type CompanyTypes interface {
	// CompanyTypes lists them.
	CompanyTypes(ctx context.Context) ([]CompanyType, error)
}

// CompanyType is a type of companies.
type CompanyType struct {
	ID   int
	Name string
}

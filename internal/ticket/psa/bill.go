package psa

import (
	"context"
	"time"
)

// Biller reads what a company is billed for again and again, and sets how much
// of it (JC-007). Autotask calls it contract and contract service, ConnectWise
// agreement and addition, Syncro recurring invoice and line item.
type Biller interface {
	// Agreements lists a company's agreements. The cursor is the Next of the
	// page before, and empty for the first.
	Agreements(ctx context.Context, companyID, cursor string) (AgreementPage, error)
	// Agreement reads one. Class Gone: there is none with this id.
	Agreement(ctx context.Context, id string) (Agreement, error)
	// Lines lists what an agreement bills. Class Gone: there is no such
	// agreement.
	Lines(ctx context.Context, agreementID, cursor string) (LinePage, error)
	// Line reads one. Class Gone: the agreement has none with this id.
	Line(ctx context.Context, agreementID, lineID string) (Line, error)
	// SetQuantity has a line bill a quantity from a day on, where the vendor
	// knows days, and from now on elsewhere. It is safe to repeat one after the
	// other, also after class Uncertain; two calls for one line at a time are
	// not. Class Gone: there is no such line.
	SetQuantity(ctx context.Context, agreementID, lineID string, quantity int, from time.Time) error
}

// Agreement is what a company is billed by.
type Agreement struct {
	ID        string
	Name      string
	CompanyID string
	Active    bool
}

// AgreementPage is a part of a list of agreements.
type AgreementPage struct {
	Agreements []Agreement
	Next       string // the cursor of the next page; empty at the end
}

// Line is one thing that an agreement bills.
type Line struct {
	ID       string
	Name     string
	Quantity float64 // as it is billed now
	Active   bool
}

// LinePage is a part of a list of lines.
type LinePage struct {
	Lines []Line
	Next  string // the cursor of the next page; empty at the end
}

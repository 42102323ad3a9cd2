package text

// What is here is
// FIXME
var _ = 1 // TODO later

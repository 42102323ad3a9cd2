package scope

import tenancy "example.com/another/tenancy"

func Fine() { tenancy.System(nil, "of another module") }

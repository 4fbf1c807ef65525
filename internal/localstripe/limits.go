package localstripe

import "time"

// deliveryTimeout is how long an endpoint may take to answer.
const deliveryTimeout = 10 * time.Second

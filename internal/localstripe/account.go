package localstripe

// account is the business that all objects belong to.
type account struct {
	id      string
	created int64
}

const accountName = "Local Stripe"

func getAccount(c *call) (any, error) {
	return obj{
		"id": c.account.id, "object": "account", "business_profile": obj{"name": accountName, "url": nil, "support_email": nil},
		"business_type": nil, "capabilities": obj{"card_payments": "active", "transfers": "active"}, "charges_enabled": true,
		"controller": obj{"type": "account"}, "country": "US", "created": c.account.created, "default_currency": "usd",
		"details_submitted": true, "email": nil, "external_accounts": embedded("/v1/accounts/"+c.account.id+"/external_accounts", []any{}),
		"metadata": obj{}, "payouts_enabled": true, "settings": obj{"dashboard": obj{"display_name": accountName, "timezone": "Etc/UTC"}},
		"tos_acceptance": obj{"date": nil, "ip": nil, "user_agent": nil}, "type": "standard",
	}, c.finish()
}

"""Everything on one machine: servers, Redis, gateway, page and traffic."""

"""The fault drill: a life cycle is played again and again, broken at another place each time, and must end where a calm play ends (R-189)."""

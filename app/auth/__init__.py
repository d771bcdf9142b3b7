"""Who is asking, and what they may do: Keystone tokens, roles, and the policy file (spec images 9.2 [P])."""

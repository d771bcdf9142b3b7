"""Commands ``openstack sync ...``; needs the extra ``osc`` (python-openstackclient)."""

"""Where images live: Glance regions, directories, backup files. Leaves behind one Protocol."""

"""What the command lines do beyond their options: measuring cell by cell, tables. Only they import from here."""

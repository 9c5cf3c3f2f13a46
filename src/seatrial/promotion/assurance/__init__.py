"""What a signed verdict supports: subcategories of the NIST AI RMF, and tests of the ML Test Score."""

"""What the site has besides its pages: tables from the published results, equations beside their code, formulas."""

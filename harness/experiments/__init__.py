"""What can be reproduced, as data: a run's config, the protocols, and every curve of every figure."""

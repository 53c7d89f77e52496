# Writes a model for the spirals: every arm as eight points on it.
BEGIN {
  arms = 3
  points = 8
  printf "centroids 1\nclasses %d\nvalues 2\ncount %d\n", arms, arms * points
  for (arm = 0; arm < arms; arm++)
    for (i = 0; i < points; i++) {
      along = (i + 0.5) / points
      radius = 0.1 + 0.9 * along
      angle = 2 * atan2(0, -1) * (arm / arms + 0.75 * along)
      printf "%d %.3f %.3f\n", arm, radius * cos(angle), radius * sin(angle)
    }
  print "end"
}

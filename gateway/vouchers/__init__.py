"""Vouchers (电子缴费凭证) as pages: the font, the drawing and the place where they are drawn."""
